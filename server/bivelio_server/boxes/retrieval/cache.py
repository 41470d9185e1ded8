"""The indexes that a process holds in memory, up to a number of bytes: those that were asked last.

An index is of one version. Who is told of a newer one loads what is new of it, one at a time for each box.
"""

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID
from weakref import WeakValueDictionary

from bivelio_server.boxes.retrieval.heavy import heavy
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Transaction

if TYPE_CHECKING:
    from bivelio_server.boxes.retrieval.index import Index
    from bivelio_server.boxes.retrieval.loading import Listing

_Key: TypeAlias = tuple[UUID, str, str]
_Locks: TypeAlias = WeakValueDictionary[_Key, asyncio.Lock]
_LOADING: Final = "loading"
#: Memory that is worth the milliseconds of giving it back to the system.
_MUCH: Final = 4 * 1024 * 1024


class BoxIndexes:
    """One for the process. Making it costs nothing."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._kept: OrderedDict[_Key, Index] = OrderedDict()
        self._too_large: set[_Key] = set()
        self._loading: _Locks = WeakValueDictionary()
        self._warming: _Locks = WeakValueDictionary()

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def boxes(self) -> int:
        return len(self._kept)

    def kept(self, caller: Caller, box_id: str) -> "Index | None":
        """Whatever is held of the box, of any version."""
        key = _key(caller, box_id)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    async def warm(self, services: Services, caller: Caller, box_id: str, version: int) -> None:
        """Have the box at hand at this version or later, for a search that is about to come, in a transaction of its
        own. Others who want the same box wait, and hold no connection meanwhile."""
        key = _key(caller, box_id)
        if key in self._too_large or self._has(key, version):
            return
        async with _lock(self._warming, key):
            if not self._has(key, version):
                async with services.database.transaction(caller) as session:
                    await self.load(session, caller, box_id, version)

    async def load(self, session: Transaction, caller: Caller, box_id: str, version: int) -> "Index | Listing":
        """The box at this version or later. What is there only, where it is too large to be held."""
        key = _key(caller, box_id)
        async with _lock(self._loading, key):
            known = self._kept.get(key)
            if known is not None and known.version >= version:
                return known
            loading = await heavy(_LOADING)
            listing: Listing = await loading.listing_of(session, caller, box_id)
            if listing.bytes > self._limit:
                self._drop(key)
                self._too_large.add(key)
                return listing
            index: Index = await loading.index_of(session, caller, box_id, listing, known)
            del known
            if self._keep(key, index) > _MUCH:
                await asyncio.to_thread(loading.give_back)
            return index

    def clear(self) -> None:
        """Let go of all of them."""
        for key in list(self._kept):
            self._drop(key)

    def _has(self, key: _Key, version: int) -> bool:
        return key in self._kept and self._kept[key].version >= version

    def _keep(self, key: _Key, index: "Index") -> int:
        """How many bytes were let go of for it."""
        self._too_large.discard(key)
        self._drop(key)
        self._kept[key] = index
        self._bytes += index.bytes
        before = self._bytes
        while self._bytes > self._limit:
            self._drop(next(iter(self._kept)))
        return before - self._bytes

    def _drop(self, key: _Key) -> None:
        index = self._kept.pop(key, None)
        if index is not None:
            self._bytes -= index.bytes


def _key(caller: Caller, box_id: str) -> _Key:
    return caller.org_id, caller.environment.value, box_id


def _lock(locks: _Locks, key: _Key) -> asyncio.Lock:
    """The one of this box; forgotten when nobody holds it or waits for it."""
    lock = locks.get(key)
    if lock is None:
        locks[key] = lock = asyncio.Lock()
    return lock
