"""Backing up a running installation: database, stored files and secret keys, as they are at one moment, in one file."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from bivelio_server.installation import Installation
from bivelio_server.kit.secrets import RootKey
from bivelio_server.storage import storage_of
from bivelio_server.upkeep.archive import FORMAT, ArchiveWriter, BackupError, Manifest, new_archive
from bivelio_server.upkeep.postgres_tools import ToolFailed, dumping
from bivelio_server.upkeep.stored import HOLD, add_files


def back_up(
    place: Installation, target: Path, *, app_version: str, passphrase: str | None = None, with_keys: bool = True
) -> Manifest:
    """Nobody is held up meanwhile; what is committed later is not in it. Raises BackupError, psycopg.Error."""
    # A key may come or go while the snapshot is taken: all that anything in it may be sealed with is kept.
    before = place.secret_key.all
    with psycopg.connect(place.owner_url) as connection:
        connection.execute("set idle_in_transaction_session_timeout = 0; set statement_timeout = 0")
        connection.execute(HOLD)
        connection.commit()
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        snapshot = _value(connection, "select pg_export_snapshot()")
        place.secret_key.look_again()
        keys = _union(place.secret_key.all, before) if with_keys else []
        with new_archive(target, passphrase) as archive:
            archive.add_keys([key.text for key in keys])
            _add_database(place, archive, snapshot)
            missing = add_files(connection, storage_of(place.settings), archive)
            manifest = _manifest(connection, archive, app_version, [key.name for key in keys], missing)
            archive.add_manifest(manifest)
    return manifest


def count_rows(connection: psycopg.Connection) -> dict[str, int]:
    """The rows of every table that a crash leaves alone."""
    tables = connection.execute(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'r' and c.relpersistence = 'p'"
        " and n.nspname <> 'information_schema' and not starts_with(n.nspname, 'pg_') order by 1, 2"
    ).fetchall()
    return {f"{schema}.{name}": _count(connection, schema, name) for schema, name in tables}


def _add_database(place: Installation, archive: ArchiveWriter, snapshot: str) -> None:
    try:
        with dumping(place.owner_url, snapshot) as dump:
            archive.add_database(dump)
    except ToolFailed as error:
        raise BackupError(str(error)) from error


def _manifest(
    connection: psycopg.Connection, archive: ArchiveWriter, app_version: str, keys: list[str], missing: list[str]
) -> Manifest:
    return Manifest(
        format=FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        app_version=app_version,
        schema_version=_value(connection, "select version_num from alembic_version"),
        postgres_version=_value(connection, "show server_version"),
        keys=keys,
        sha256=archive.sha256,
        database_bytes=archive.database_bytes,
        rows=count_rows(connection),
        files=archive.files,
        missing=missing,
    )


def _count(connection: psycopg.Connection, schema: str, table: str) -> int:
    row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))).fetchone()
    assert row is not None
    return int(row[0])


def _value(connection: psycopg.Connection, statement: str) -> str:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return str(row[0])


def _union(keys: tuple[RootKey, ...], more: tuple[RootKey, ...]) -> list[RootKey]:
    known = {key.name for key in keys}
    return [*keys, *(key for key in more if key.name not in known)]
