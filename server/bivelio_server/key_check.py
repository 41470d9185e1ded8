"""Whether this process has the keys that the database's secrets were sealed with, and which columns hold such secrets.

The database knows each key in use by its name and by a value sealed with it, so a wrong key is found before anything is
served: with it nothing stored would open, and what it sealed would be lost to everybody else.
"""

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from bivelio_server.kit.secrets import Cipher, DecryptionFailed, RootKey, SecretKey

_CHECK: Final = "BiVelio"


class KeyRefused(Exception):
    """The secret key does not belong to this database; the message says what to do."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that stored secrets may be sealed with; the one of the latest `since` seals."""

    name: str
    sealed: bytes
    since: datetime

    def opens_with(self, key: SecretKey) -> bool:
        try:
            return Cipher(key).decrypt(self.sealed, row=_row(self.name)) == _CHECK
        except DecryptionFailed:
            return False


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed secrets; `row` is the place that a secret in it is bound to, with columns in braces."""

    table: str
    column: str
    row: str

    @property
    def fields(self) -> list[str]:
        """The columns that `row` mentions."""
        return [field for _, field, _, _ in string.Formatter().parse(self.row) if field]

    def place_of(self, values: Mapping[str, Any]) -> str:
        return self.row.format_map(values)


def check_keys(owner_url: str, key: SecretKey) -> None:
    """Refuse keys that do not open everything, or that nobody has registered. Raises KeyRefused, psycopg.Error."""
    with psycopg.connect(owner_url) as connection:
        known = known_keys(connection)
        _refuse_missing(known, key)
        if key.present.name not in {one.name for one in known}:
            raise KeyRefused("The database does not know the present secret key yet; run `bivelio-server migrate`.")


def register_keys(owner_url: str, key: SecretKey) -> None:
    """Let the database know the present key, on the strength of those that it knows. Raises KeyRefused."""
    register_key(owner_url, key, key.present)


def register_key(owner_url: str, key: SecretKey, root: RootKey) -> None:
    """Let the database know `root`, because `key` opens all that is sealed there. Raises KeyRefused."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("lock table installation_keys in share row exclusive mode")
        known = known_keys(connection)
        if not known:
            _refuse_unopened(connection, key)
        _refuse_missing(known, key)
        connection.execute(
            "insert into installation_keys (name, sealed, since) values (%s, %s, clock_timestamp())"
            " on conflict do nothing",
            (root.name, sealed_check(root)),
        )


def known_keys(connection: psycopg.Connection) -> list[KnownKey]:
    """The oldest first."""
    rows = connection.execute("select name, sealed, since from installation_keys order by since, name").fetchall()
    return [KnownKey(*row) for row in rows]


def sealed_columns(connection: psycopg.Connection) -> list[SealedColumn]:
    """Every column that holds sealed secrets."""
    rows = connection.execute("select table_name, column_name, place from sealed_columns order by 1, 2").fetchall()
    return [SealedColumn(*row) for row in rows]


def sealed_values(
    connection: psycopg.Connection, column: SealedColumn, limit: int | None = None
) -> Iterator[tuple[bytes, str]]:
    """What is stored in the column, each with the place that it is bound to."""
    fields = sql.SQL(", ").join(map(sql.Identifier, [column.column, *column.fields]))
    query = sql.SQL("select {fields} from {table} where {column} is not null limit {limit}").format(
        fields=fields, table=sql.SQL(column.table), column=sql.Identifier(column.column), limit=sql.Literal(limit)
    )
    with connection.cursor(f"sealed_{column.column}", row_factory=dict_row) as rows:
        for values in rows.execute(query):
            yield values[column.column], column.place_of(values)


def sealed_check(root: RootKey) -> bytes:
    return Cipher(SecretKey(root.text)).encrypt(_CHECK, row=_row(root.name))


def _refuse_missing(known: list[KnownKey], key: SecretKey) -> None:
    missing = [one.name for one in known if not one.opens_with(key)]
    if missing and len(missing) == len(known):
        raise KeyRefused(
            "The secret key is not the one of this database: stored secrets could not be read."
            " Give back the right one (BIVELIO_SECRET_KEY, or secret.key in the data folder, from a backup)."
        )
    if missing:
        raise KeyRefused(
            f"Stored secrets may be sealed with the key {', '.join(missing)}, which this process does not have: name it"
            " in BIVELIO_PREVIOUS_SECRET_KEYS, or end the change of keys with `bivelio-server rotate-key --finish`."
        )


def _refuse_unopened(connection: psycopg.Connection, key: SecretKey) -> None:
    """A database from before it knew its keys: what is stored tells."""
    for column in sealed_columns(connection):
        for stored, place in sealed_values(connection, column, limit=1):
            try:
                Cipher(key).decrypt(stored, row=place)
            except DecryptionFailed:
                raise KeyRefused(
                    f"The secret key is not the one of this database: it does not open {column.table}.{column.column}."
                ) from None


def _row(name: str) -> str:
    return f"installation_keys.sealed {name}"
