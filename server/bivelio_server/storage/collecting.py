"""Removing files that no row refers to: those whose rows are gone, soon; those that never had one, a day later.

The database notes the keys of removed rows (`storage_garbage`), whichever way the rows went. What a crash has left
between writing a file and committing its row is found by walking through storage.
"""

from datetime import timedelta
from typing import Final

from bivelio_server.durable import Chore
from bivelio_server.kit.context import Services
from bivelio_server.kit.storage import StorageKey
from bivelio_server.storage.files import FilesOnDisk

#: No transaction that may yet refer to a file takes this long.
ORPHANED_AFTER: Final = timedelta(days=1)
_BATCH: Final = 500


async def collect(services: Services) -> int:
    """Remove the files of rows that are gone, unless a backup is being made; how many there were."""
    removed = 0
    while keys := await _keys(services, "select storage_garbage_keys(%s)", _BATCH):
        await services.storage.delete(keys)
        await services.database.call("select storage_collected(%s)", ([*map(str, keys)],))
        removed += len(keys)
    return removed


async def sweep(services: Services) -> int:
    """Remove the files that no row ever came to refer to; how many there were."""
    before = services.clock.now() - ORPHANED_AFTER
    removed = await services.storage.forget_drafts(before) if isinstance(services.storage, FilesOnDisk) else 0
    old: list[str] = []
    async for file in services.storage.walk():
        if file.modified_at < before:
            old.append(file.key)
        if len(old) == _BATCH:
            removed += await _remove_orphans(services, old)
            old.clear()
    return removed + await _remove_orphans(services, old)


CHORES: Final = (
    Chore("files", timedelta(minutes=10), collect, lease=timedelta(hours=1)),
    Chore("orphans", timedelta(days=1), sweep, lease=timedelta(hours=6)),
)


async def _remove_orphans(services: Services, keys: list[str]) -> int:
    orphans = await _keys(services, "select storage_orphans(%s)", keys) if keys else []
    await services.storage.delete(orphans)
    return len(orphans)


async def _keys(services: Services, statement: str, argument: object) -> list[StorageKey]:
    return [StorageKey(key) for (key,) in await services.database.call_all(statement, (argument,))]
