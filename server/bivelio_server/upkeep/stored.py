"""The stored files of a backup: those that the rows of its snapshot refer to."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Final

import psycopg
from psycopg import sql

from bivelio_server.kit.storage import FileMissing, Storage, StorageFailed, StorageKey, StoredFile
from bivelio_server.upkeep.archive import Archive, ArchiveWriter, BackupError

#: While it is held, nothing is removed from storage.
HOLD: Final = "select pg_advisory_lock_shared(hashtext('bivelio'), hashtext('storage'))"
_IN_MEMORY_BYTES: Final = 16 << 20
_PIECE_BYTES: Final = 1 << 20


def add_files(connection: psycopg.Connection, storage: Storage, archive: ArchiveWriter) -> list[str]:
    """Copy what rows refer to; the keys of what is not there any more, or damaged. Raises BackupError."""
    try:
        return asyncio.run(_add_all(connection, storage, archive))
    except StorageFailed as error:
        raise BackupError(f"a stored file cannot be read: {error}") from error


def put_files(storage: Storage, archive: Archive) -> None:
    """Raises BackupError."""
    try:
        asyncio.run(_put_all(storage, archive))
    except StorageFailed as error:
        raise BackupError(f"the stored files cannot be written: {error}") from error


def require_empty(storage: Storage) -> None:
    """Raises BackupError."""
    if asyncio.run(_has_files(storage)):
        raise BackupError(
            "The storage is not empty: name another folder in BIVELIO_STORAGE_DIR, or bucket in BIVELIO_S3_BUCKET."
        )


def check_files(connection: psycopg.Connection, archive: Archive) -> int:
    """Whether every file that rows refer to is in the archive; how many there are. Raises BackupError."""
    known, count = archive.sha256_of_files, 0
    lost = set(archive.manifest.missing)
    for file in referred(connection):
        if file.key not in lost and known.get(file.key) != file.sha256:
            raise BackupError(f"The stored file {file.key} is not in the backup, or is another one.")
        count += 1
    return count


def lost_files(connection: psycopg.Connection, storage: Storage, sample: int) -> list[str]:
    """Keys of those that are not there, of so many that rows refer to. Raises StorageFailed."""
    return asyncio.run(_lost(list(islice(referred(connection), sample)), storage))


def referred(connection: psycopg.Connection) -> Iterator[StoredFile]:
    """Every file that a row refers to, once; none in a schema from before there was storage."""
    row = connection.execute("select to_regclass('stored_columns') is not null").fetchone()
    if row is None or not row[0]:
        return
    columns = connection.execute("select table_name, column_name from stored_columns order by 1, 2").fetchall()
    selects = [
        sql.SQL("select {column} from {table} where {column} is not null").format(
            column=sql.Identifier(column), table=sql.Identifier(table)
        )
        for table, column in columns
    ]
    with connection.transaction(), connection.cursor("stored_files") as cursor:
        for (value,) in cursor.execute(sql.SQL(" union ").join(selects)):
            yield StoredFile.from_json(value)


async def _add_all(connection: psycopg.Connection, storage: Storage, archive: ArchiveWriter) -> list[str]:
    missing = []
    for file in referred(connection):
        with SpooledTemporaryFile(_IN_MEMORY_BYTES) as content:
            if await _read(storage, file, content):
                archive.add_file(file.key, file.bytes, content)
            else:
                missing.append(str(file.key))
    return missing


async def _lost(files: list[StoredFile], storage: Storage) -> list[str]:
    lost = []
    for file in files:
        try:
            await anext(storage.open(file.key), None)
        except FileMissing:
            lost.append(str(file.key))
    return lost


async def _read(storage: Storage, file: StoredFile, content: IO[bytes]) -> bool:
    """Whether it is there, as it was written."""
    digest = hashlib.sha256()
    try:
        async for piece in storage.open(file.key):
            digest.update(piece)
            content.write(piece)
    except FileMissing:
        return False
    size = content.tell()
    content.seek(0)
    return (size, digest.hexdigest()) == (file.bytes, file.sha256)


async def _put_all(storage: Storage, archive: Archive) -> None:
    for key, content in archive.files():
        await storage.put(StorageKey(key), _pieces(content))


async def _pieces(content: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := content.read(_PIECE_BYTES):
        yield piece


async def _has_files(storage: Storage) -> bool:
    async for _ in storage.walk():
        return True
    return False
