"""The index of a box in memory, as it is at one version. It never changes: a newer one shares what has stayed.

Files that come are a block of their own, which costs little; small blocks are then joined into larger ones, so that
there are never many. What has gone is left out of searches, and of the block when that is joined or half empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bivelio_server.boxes.retrieval.blocks import MOST_CHUNKS, block_of, merged
from bivelio_server.boxes.retrieval.ranking import Part
from bivelio_server.boxes.retrieval.segments import Stored, loaded


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `box_segments`."""

    seq: int
    file_id: str
    revision: int
    stored: Stored


@dataclass(frozen=True)
class Index:
    """`model` is the one whose vectors these are; None where nothing was ever indexed."""

    version: int
    generation: int
    model: str | None
    parts: tuple[Part, ...]

    @cached_property
    def bytes(self) -> int:
        return sum(part.block.bytes for part in self.parts)

    @cached_property
    def chunks(self) -> int:
        return sum(part.chunks for part in self.parts)

    @cached_property
    def seqs(self) -> frozenset[int]:
        """The segments that are searched."""
        return frozenset(place.seq for part in self.parts for place in part.places)


def part_of(rows: Sequence[Row]) -> Part:
    """At least one row."""
    block = block_of([(row.seq, row.file_id, row.revision) for row in rows], [loaded(row.stored) for row in rows])
    return Part(block, block.places)


def settled(parts: Sequence[Part], alive: frozenset[int]) -> tuple[Part, ...]:
    """The same without what is not among the segments `alive`, in as few blocks as is worth the work."""
    result: list[Part] = []
    for part in parts:
        left = _left_of(part, alive)
        if not left.places:
            continue
        result.append(_shrunk(left))
        while len(result) > 1 and _are_worth_joining(result[-2], result[-1]):
            result[-2:] = [_joined(result[-2:])]
    return tuple(result)


def _left_of(part: Part, alive: frozenset[int]) -> Part:
    if all(place.seq in alive for place in part.places):
        return part
    return Part(part.block, tuple(place for place in part.places if place.seq in alive))


def _shrunk(part: Part) -> Part:
    return _joined([part]) if part.chunks * 2 < part.block.rows else part


def _are_worth_joining(older: Part, newer: Part) -> bool:
    """So that each chunk is joined a logarithmic number of times only."""
    return older.chunks + newer.chunks <= MOST_CHUNKS and older.chunks < 2 * newer.chunks


def _joined(parts: Sequence[Part]) -> Part:
    block = merged([(part.block, part.places) for part in parts])
    return Part(block, block.places)
