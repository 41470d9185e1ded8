"""Replacing the secret key while the servers go on.

There are two commands, with a restart of the servers between them. The first brings the new key in and seals every
stored secret with it; the second drops the old key, once nobody needs it any more. Either may be killed and started
again.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from bivelio_server.installation import Installation, legacy_serving_role, prepare, serving_role
from bivelio_server.key_check import SealedColumn, known_keys, register_key, sealed_columns
from bivelio_server.kit.secrets import (
    FOLLOWS_WITHIN_SECONDS,
    Cipher,
    DecryptionFailed,
    RootKey,
    SecretKey,
    generate_root,
    write_keys,
)
from bivelio_server.migrations import drop_serving_role, grant_serving_role

_BATCH: Final = 200
_LOCKED_SECONDS: Final = 0.1
Tell = Callable[[str], None]


class RotationError(Exception):
    """The key cannot be changed now; the message says what to do."""


def rotate(place: Installation, tell: Tell) -> None:
    """Bring in a new key, or go on with what was begun. Raises RotationError, InstallationError."""
    prepare(place)
    if place.settings.secret_key is None:
        _bring_in(place)
        time.sleep(2 * FOLLOWS_WITHIN_SECONDS)  # whoever serves follows the file, and seals with the new key from then
    elif len(place.secret_key.all) == 1:
        raise RotationError(_GIVEN_KEY)
    sealed = _seal_anew(place)
    tell(f"key {place.secret_key.present.name}: {sealed} stored secrets sealed anew.")
    tell("Now restart every `serve` and `worker`, and then end with: bivelio-server rotate-key --finish")


def finish(place: Installation, tell: Tell, *, at_once: bool = False) -> None:
    """Drop the keys before the present one. Raises RotationError."""
    old = place.secret_key.all[1:]
    if not old:
        raise RotationError("There is no key but the present one.")
    if not at_once:
        _require_time(place)
    _require_nobody(place, old)
    _seal_anew(place)
    with psycopg.connect(place.owner_url) as connection:
        connection.execute("delete from installation_keys where name <> %s", (place.secret_key.present.name,))
    for key in old:
        drop_serving_role(place.owner_url, serving_role(place.owner_url, key)[0])
    drop_serving_role(place.owner_url, legacy_serving_role(place.owner_url))
    if place.settings.secret_key is None:
        write_keys(place.settings.data_dir / "secret.key", [place.secret_key.present.text])
        tell("The old key is gone. Backups from before hold it, and need it.")
    else:
        tell("The old key is no longer needed: take it out of BIVELIO_PREVIOUS_SECRET_KEYS.")


def _bring_in(place: Installation) -> None:
    """Known to all, then let in, then the present one: at every moment every process opens everything.

    Whatever of this was done before is not done again.
    """
    path = place.settings.data_dir / "secret.key"
    with psycopg.connect(place.owner_url) as connection:
        registered = [key.name for key in known_keys(connection)]
    keys = list(place.secret_key.all)
    if len(keys) == 1:
        keys.append(RootKey(generate_root()))
        write_keys(path, [key.text for key in keys])
    new = next((key for key in keys if key.name not in registered), None)
    new = new or next(key for key in keys if key.name == registered[-1])
    register_key(place.owner_url, place.secret_key, new)
    grant_serving_role(place.owner_url, *serving_role(place.owner_url, new))
    write_keys(path, [new.text, *(key.text for key in keys if key is not new)])
    place.secret_key.look_again()


def _seal_anew(place: Installation) -> int:
    """Every stored secret that another key than the present one sealed; how many there were."""
    with psycopg.connect(place.owner_url) as connection:
        columns = sealed_columns(connection)
        connection.commit()
        return sum(_seal_column(connection, column, place.secret_key) for column in columns)


def _seal_column(connection: psycopg.Connection, column: SealedColumn, key: SecretKey) -> int:
    cipher, done = Cipher(key), 0
    while True:
        with connection.transaction():
            found = _outdated(connection, column, cipher, wait=False)
            for row in found:
                _seal_row(connection, column, cipher, row)
        done += len(found)
        if not found:
            with connection.transaction():
                if not _outdated(connection, column, cipher, wait=True):
                    return done
            time.sleep(_LOCKED_SECONDS)


def _outdated(
    connection: psycopg.Connection, column: SealedColumn, cipher: Cipher, *, wait: bool
) -> list[dict[str, Any]]:
    """A batch of rows, locked unless `wait`: then it tells whether any are left, locked by others or not."""
    fields = sql.SQL(", ").join(map(sql.Identifier, ["ctid", column.column, *column.fields]))
    query = sql.SQL("select {fields} from {table} where {column} is not null and substr({column}, 1, {bytes}) <> {mark}"
                    " limit {limit}{lock}").format(
        fields=fields,
        table=sql.SQL(column.table),
        column=sql.Identifier(column.column),
        bytes=sql.Literal(len(cipher.mark)),
        mark=sql.Literal(cipher.mark),
        limit=sql.Literal(1 if wait else _BATCH),
        lock=sql.SQL("" if wait else " for no key update skip locked"),
    )  # fmt: skip
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()


def _seal_row(connection: psycopg.Connection, column: SealedColumn, cipher: Cipher, row: dict[str, Any]) -> None:
    place = column.place_of(row)
    try:
        sealed = cipher.encrypt(cipher.decrypt(row[column.column], row=place), row=place)
    except DecryptionFailed:
        raise RotationError(f"No key opens {column.table}.{column.column} ({place}).") from None
    statement = sql.SQL("update {table} set {column} = %s where ctid = %s::tid").format(
        table=sql.SQL(column.table), column=sql.Identifier(column.column)
    )
    connection.execute(statement, (sealed, row["ctid"]))


def _require_time(place: Installation) -> None:
    """Access tokens are signed with the old key until all of them have ended."""
    with psycopg.connect(place.owner_url) as connection:
        since = max(key.since for key in known_keys(connection))
        row = connection.execute("select clock_timestamp() - %s", (since,)).fetchone()
    assert row is not None
    left = timedelta(seconds=place.settings.access_token_seconds) - row[0]
    if left > timedelta():
        minutes = -(-left // timedelta(minutes=1))
        raise RotationError(
            f"Access tokens that the old key signed live for {minutes} minutes more. Wait, or end them now with --now."
        )


def _require_nobody(place: Installation, old: tuple[RootKey, ...]) -> None:
    roles = [serving_role(place.owner_url, key)[0] for key in old] + [legacy_serving_role(place.owner_url)]
    with psycopg.connect(place.owner_url) as connection:
        row = connection.execute(
            "select count(*), count(distinct client_addr) from pg_stat_activity where usename = any (%s)", (roles,)
        ).fetchone()
    if row is not None and row[0]:
        raise RotationError(
            f"{row[0]} connections are of processes that were started with the old key: restart every `serve` and"
            " `worker` first."
        )


_GIVEN_KEY: Final = """The key is given by BIVELIO_SECRET_KEY, so a new one is brought in there:
  1. Make a new key: openssl rand -base64 48
  2. Name it in BIVELIO_PREVIOUS_SECRET_KEYS of every process, and restart them: they know it then.
  3. Exchange both: the new one in BIVELIO_SECRET_KEY, the old one in BIVELIO_PREVIOUS_SECRET_KEYS.
     Run `bivelio-server migrate`, restart every process, then `bivelio-server rotate-key`.
  4. An hour later: bivelio-server rotate-key --finish, and take the old one out."""
