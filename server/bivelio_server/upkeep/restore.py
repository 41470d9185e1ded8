"""Restoring a backup into an empty place, and finding out beforehand whether that would work."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from bivelio_server.installation import Installation, installation, prepare, serving_url
from bivelio_server.key_check import sealed_columns, sealed_values
from bivelio_server.kit.embedded_postgres import EmbeddedPostgres, libpq_url
from bivelio_server.kit.secrets import Cipher, DecryptionFailed, SecretKey, generate_root, write_keys
from bivelio_server.migrations import SERVING_GROUP, migrate, newest_version
from bivelio_server.settings import Settings
from bivelio_server.storage import storage_of
from bivelio_server.upkeep.archive import Archive, BackupError, Manifest
from bivelio_server.upkeep.backup import count_rows
from bivelio_server.upkeep.postgres_tools import OLDEST_TARGET, ToolFailed, restore_dump
from bivelio_server.upkeep.stored import check_files, put_files, require_empty

#: The grants of a dump name this role, which is none of the database.
SERVING_ROLE: Final = f"""
    do $$ begin
        create role {SERVING_GROUP} nologin nosuperuser nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end $$
"""
#: Told what has been done or found, a line each time.
Tell = Callable[[str], None]


def restore(settings: Settings, file: Path, passphrase: str | None, tell: Tell) -> None:
    """Make the installation that `settings` name from the backup. Raises BackupError, InstallationError."""
    archive = _open(file, passphrase, tell)
    if settings.database_url is None:
        _require_empty(settings.data_dir)
    storage = storage_of(settings)
    require_empty(storage)
    if settings.secret_key is None:
        if not archive.keys:
            raise BackupError("The backup holds no secret key: give it as BIVELIO_SECRET_KEY.")
        _put_keys(settings.data_dir, archive.keys)
    with installation(settings) as place:
        _fill(place, archive, tell)
        put_files(storage, archive)
        _finish(place, tell)


def verify(settings: Settings, file: Path, passphrase: str | None, tell: Tell) -> None:
    """Restore into a database that is thrown away, and look at everything. Raises BackupError, InstallationError."""
    archive = _open(file, passphrase, tell)
    with _throwaway(settings, archive.keys) as place:
        _fill(place, archive, tell)
        if not archive.keys and settings.secret_key is None:
            tell("key: none in the backup and no BIVELIO_SECRET_KEY, so stored secrets were NOT looked at")
            migrate(place.owner_url)
        else:
            _finish(place, tell)


def _open(file: Path, passphrase: str | None, tell: Tell) -> Archive:
    archive = Archive(file, passphrase)
    manifest = archive.manifest
    if manifest.schema_version > newest_version():
        raise BackupError(
            f"The backup is of a newer version (schema {manifest.schema_version}; this is {newest_version()})."
        )
    tell(
        f"file: made {manifest.created_at} by version {manifest.app_version}, schema {manifest.schema_version};"
        f" checksums are right"
    )
    return archive


def _fill(place: Installation, archive: Archive, tell: Tell) -> None:
    with psycopg.connect(place.owner_url, autocommit=True) as connection:
        _require_empty_database(connection)
        connection.execute(SERVING_ROLE)
    try:
        restore_dump(place.owner_url, archive.database())
    except ToolFailed as error:
        raise BackupError(str(error)) from error
    tell("database: restored; every constraint holds")
    with psycopg.connect(place.owner_url) as connection:
        _check_rows(connection, archive.manifest, tell)
        _check_files(connection, archive, tell)


def _finish(place: Installation, tell: Tell) -> None:
    prepare(place)
    tell(f"schema: brought to {newest_version()}, the newest")
    with psycopg.connect(place.owner_url) as connection:
        _check_secrets(connection, place.secret_key, tell)


def _check_rows(connection: psycopg.Connection, manifest: Manifest, tell: Tell) -> None:
    found = count_rows(connection)
    wrong = [
        f"{table}: {found.get(table, 0)}, not {manifest.rows.get(table, 0)}"
        for table in sorted(found.keys() | manifest.rows.keys())
        if found.get(table) != manifest.rows.get(table)
    ]
    if wrong:
        raise BackupError(f"Rows are not as many as were backed up: {'; '.join(wrong)}")
    tell(f"rows: {sum(found.values())} in {len(found)} tables, as many as were backed up")


def _check_files(connection: psycopg.Connection, archive: Archive, tell: Tell) -> None:
    count = check_files(connection, archive)
    lost = len(archive.manifest.missing)
    tell(f"files: {count - lost} stored files, each as its row says" + (f"; {lost} WERE LOST BEFORE" if lost else ""))


def _check_secrets(connection: psycopg.Connection, key: SecretKey, tell: Tell) -> None:
    cipher = Cipher(key)
    opened = 0
    for column in sealed_columns(connection):
        for stored, place in sealed_values(connection, column):
            try:
                cipher.decrypt(stored, row=place)
            except DecryptionFailed:
                raise BackupError(f"The key does not open {column.table}.{column.column} ({place}).") from None
            opened += 1
    tell(f"key: opens all {opened} stored secrets")


def _require_empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty: give a folder that does not exist yet with --data-dir")


def _require_empty_database(connection: psycopg.Connection) -> None:
    if connection.info.server_version < OLDEST_TARGET * 10_000:
        raise BackupError(f"Restoring needs PostgreSQL {OLDEST_TARGET} or newer.")
    row = connection.execute(
        "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'p') and n.nspname in ('public', 'durable', 'absurd')"
    ).fetchone()
    if row is not None and row[0]:
        raise BackupError("The database is not empty: a backup is restored into a new one.")


def _put_keys(folder: Path, keys: list[str]) -> None:
    path = folder / "secret.key"
    if path.exists():
        raise BackupError(f"{path} exists already: give a folder that does not exist yet with --data-dir")
    folder.mkdir(parents=True, exist_ok=True)
    write_keys(path, keys)


@contextmanager
def _throwaway(settings: Settings, keys: list[str]) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="bivelio-verify-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the account that runs the database passes through
        embedded = EmbeddedPostgres(folder / "postgres", fsync=False)
        with embedded as address:
            owner_url = libpq_url(address.owner_url())
            key = _key(settings, keys)
            yield Installation(settings, owner_url, serving_url(owner_url, key), key, embedded)


def _key(settings: Settings, keys: list[str]) -> SecretKey:
    if keys:
        return SecretKey(keys[0], keys[1:])
    if settings.secret_key is None:
        return SecretKey(generate_root())
    previous = [key.get_secret_value() for key in settings.previous_secret_keys]
    return SecretKey(settings.secret_key.get_secret_value(), previous)
