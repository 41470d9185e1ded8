"""Reading the index of a box: what is searched now, and of that what a process does not hold yet."""

import asyncio
import ctypes
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from bivelio_server.boxes.retrieval import queries
from bivelio_server.boxes.retrieval.index import Index, Row, part_of, settled
from bivelio_server.boxes.retrieval.ranking import Part
from bivelio_server.boxes.retrieval.segments import Stored
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.db import Transaction

#: How much is read at once.
_BATCH_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Listing:
    """What is searched of a box at one version; `segments` have `seq` and `bytes`."""

    version: int
    generation: int
    model: str | None
    segments: Sequence[Any]

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for segment in self.segments)


async def listing_of(session: Transaction, caller: Caller, box_id: str) -> Listing:
    rows = await queries.listed(session, caller, box_id)
    if not rows:
        return Listing(0, 0, None, ())
    head = rows[0]
    return Listing(head.version, head.generation, head.model, [row for row in rows if row.seq is not None])


async def index_of(session: Transaction, caller: Caller, box_id: str, listing: Listing, known: Index | None) -> Index:
    """What is listed; only what `known` has not is read."""
    reusable = known if known is not None and known.generation == listing.generation else None
    parts = [] if reusable is None else list(reusable.parts)
    have = frozenset() if reusable is None else reusable.seqs
    missing = [segment for segment in listing.segments if segment.seq not in have]
    async for part in parts_of(session, caller, box_id, listing.generation, missing):
        parts.append(part)
    if sum(segment.bytes for segment in missing) > _BATCH_BYTES:
        await asyncio.to_thread(give_back)
    alive = frozenset(segment.seq for segment in listing.segments)
    return Index(listing.version, listing.generation, listing.model, await asyncio.to_thread(settled, parts, alive))


async def parts_of(
    session: Transaction, caller: Caller, box_id: str, generation: int, segments: Sequence[Any]
) -> AsyncIterator[Part]:
    """One after another, made beside the event loop; the caller need not keep them."""
    for batch in _batches(segments):
        rows = await queries.segments(session, caller, box_id, generation, [segment.seq for segment in batch])
        read = [_whole(list(pieces)) for _, pieces in groupby(rows, attrgetter("seq"))]
        del rows
        if read:
            yield await asyncio.to_thread(part_of, read)


def _whole(pieces: Sequence[Any]) -> Row:
    vectors, terms = b"".join(piece.vectors for piece in pieces), b"".join(piece.terms for piece in pieces)
    first = pieces[0]
    return Row(first.seq, first.file_id, first.revision, Stored(first.chunks, vectors, terms))


def give_back() -> None:
    """Memory that was freed, to the system: the C library would keep the most of it for later."""
    if _TRIM is not None:
        _TRIM(0)


def _trim() -> Any:
    """None where the C library has no such function."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def _batches(segments: Sequence[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for segment in segments:
        if batch and size + segment.bytes > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(segment)
        size += segment.bytes
    if batch:
        yield batch


_TRIM: Final = _trim()
