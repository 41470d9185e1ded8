"""The chunks of a box that may answer a question: the nearest by meaning, and those with its words (BM25)."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bivelio_server.boxes.retrieval.blocks import Block, Place
from bivelio_server.boxes.retrieval.dense import Direction
from bivelio_server.boxes.retrieval.fusion import deviation, fused
from bivelio_server.boxes.retrieval.segments import Floats

Rows = NDArray[np.intp]

#: How fast a repeated word stops to matter, and how much longer chunks are held against them.
_SATURATION: Final = 1.2
_BY_LENGTH: Final = 0.75
#: The rarest of a long question's words say enough.
_MOST_TERMS: Final = 64


@dataclass(frozen=True)
class Part:
    """A block, and those of its places that are still searched."""

    block: Block
    places: tuple[Place, ...]

    @cached_property
    def chunks(self) -> int:
        return sum(place.chunks for place in self.places)

    @cached_property
    def alive(self) -> NDArray[np.bool_]:
        """The rows that are still searched."""
        return _rows_of(self.block, self.places)

    @cached_property
    def words(self) -> int:
        """How many terms those have."""
        return int(self.block.lengths.sum(where=self.alive, dtype=np.int64))

    @property
    def is_whole(self) -> bool:
        return len(self.places) == len(self.block.places)


@dataclass(frozen=True, slots=True)
class Candidate:
    """The chunk `n` of a file. `near` is nearly its cosine, 0 without a vector; `lexical` its BM25 as a share of the
    most that the question could have, 0 to 1."""

    place: Place
    n: int
    near: float
    lexical: float


@dataclass(frozen=True, slots=True)
class _Searched:
    """What is kept of a part once it was looked at: its places, as rows of the whole."""

    first: int
    places: tuple[Place, ...]


class Ranking:
    """One question, asked of one part of the index after another; then `candidates` tells.

    `terms` are those of the question, `direction` its vector, None where only words count; `sources` the files to
    look in, all when None.
    """

    def __init__(
        self, terms: Mapping[int, int], direction: Direction | None, sources: Collection[str] | None = None
    ) -> None:
        self._asked = Counter(terms)
        self._direction = direction
        self._sources = None if sources is None else frozenset(sources)
        self._rows = 0
        self._chunks = 0
        self._words = 0
        self._searched: list[_Searched] = []
        self._allowed: list[NDArray[np.bool_]] = []
        self._near: list[Floats] = []
        self._found: dict[int, list[tuple[Rows, Floats, Floats]]] = {term: [] for term in self._asked}

    def add(self, part: Part) -> None:
        wanted = part.places if self._sources is None else self._of_sources(part.places)
        self._allowed.append(part.alive if self._sources is None else _rows_of(part.block, wanted))
        if self._direction is not None:
            self._near.append(self._cosines(self._direction, part, wanted))
        for term, found in self._found.items():
            self._having(term, part, found)
        self._searched.append(_Searched(self._rows, wanted))
        self._words += part.words
        self._rows += part.block.rows
        self._chunks += part.chunks

    def finished(self) -> "Ranked":
        allowed = np.concatenate(self._allowed) if self._allowed else np.zeros(0, np.bool_)
        near = None if self._direction is None else np.concatenate([*self._near, np.zeros(0, np.float32)])
        lexical = self._lexical() * allowed
        return Ranked(self._searched, allowed, near, lexical)

    def _of_sources(self, places: Sequence[Place]) -> tuple[Place, ...]:
        assert self._sources is not None
        return tuple(place for place in places if place.file_id in self._sources)

    def _cosines(self, direction: Direction, part: Part, wanted: Sequence[Place]) -> Floats:
        """Of the rows that are looked for: of few files only theirs."""
        block = part.block
        if block.vectors.shape[1] != direction.dimension:
            return np.zeros(block.rows, np.float32)
        if self._sources is None:
            return direction.cosines(block.vectors, block.scales)
        near = np.zeros(block.rows, np.float32)
        for place in wanted:
            rows = slice(place.first, place.last)
            near[rows] = direction.cosines(block.vectors[rows], block.scales[rows])
        return near

    def _having(self, term: int, part: Part, found: list[tuple[Rows, Floats, Floats]]) -> None:
        block, where = part.block, part.block.having(term)
        if where.start == where.stop:
            return
        rows, counts = block.postings[where], block.counts[where]
        if not part.is_whole:
            stay = part.alive[rows]
            rows, counts = rows[stay], counts[stay]
        lengths = block.lengths[rows].astype(np.float32)
        found.append((rows.astype(np.intp) + self._rows, counts.astype(np.float32), lengths))

    def _lexical(self) -> Floats:
        scores, most = np.zeros(self._rows, np.float32), 0.0
        average = max(self._words / max(self._chunks, 1), 1.0)
        for term, rarity in self._rarest():
            weight = rarity * self._asked[term]
            most += weight
            for rows, counts, lengths in self._found[term]:
                longer = _SATURATION * (1 - _BY_LENGTH) + lengths * np.float32(_SATURATION * _BY_LENGTH / average)
                scores[rows] += np.float32(weight) * counts / (counts + longer)
        return scores / np.float32(most) if most else scores

    def _rarest(self) -> list[tuple[int, float]]:
        """The terms that count, each with how much a chunk says by having it."""
        rarities = [(term, _rarity(self._chunks, found)) for term, found in self._found.items()]
        return sorted(rarities, key=lambda each: -each[1])[:_MOST_TERMS]


class Ranked:
    """All scores of a question. Rows that are gone or not looked in are not `allowed`.

    `spread` is that of the cosines, on which the weight of words depends; 0 where only words count.
    """

    def __init__(
        self, searched: Sequence[_Searched], allowed: NDArray[np.bool_], near: Floats | None, lexical: Floats
    ) -> None:
        self._searched = searched
        self._near = near
        self._lexical = lexical
        self._firsts = np.array([each.first for each in searched], np.intp)
        self.spread = 0.0 if near is None else deviation(near[allowed])
        scores = lexical if near is None else fused(near, lexical, self.spread)
        self._is_candidate = lexical > 0 if near is None else allowed
        self._scores = np.where(self._is_candidate, scores, np.float32(-np.inf))

    @property
    def size(self) -> int:
        """How many chunks could be candidates."""
        return int(np.count_nonzero(self._is_candidate))

    def candidates(self, count: int) -> list[Candidate]:
        """The best, as far as small numbers tell: at most so many, in no order."""
        rows = _top(self._scores, count)
        return list(self._named(rows[self._is_candidate[rows]]))

    def _named(self, rows: Rows) -> Iterator[Candidate]:
        """`rows` in ascending order."""
        near = [0.0] * len(rows) if self._near is None else self._near[rows].tolist()
        lexical = self._lexical[rows].tolist()
        parts = (np.searchsorted(self._firsts, rows, side="right") - 1).tolist()
        for at, (row, part) in enumerate(zip(rows.tolist(), parts, strict=True)):
            searched = self._searched[part]
            within = row - searched.first
            place = searched.places[bisect_right(searched.places, within, key=_first_row) - 1]
            yield Candidate(place, within - place.first, near[at], lexical[at])


_first_row: Final = attrgetter("first")


def _rows_of(block: Block, places: Sequence[Place]) -> NDArray[np.bool_]:
    if len(places) == len(block.places):
        return np.ones(block.rows, np.bool_)
    rows = np.zeros(block.rows, np.bool_)
    for place in places:
        rows[place.first : place.last] = True
    return rows


def _rarity(chunks: int, found: Sequence[tuple[Rows, Floats, Floats]]) -> float:
    having = sum(len(rows) for rows, _, _ in found)
    return float(np.log1p((chunks - having + 0.5) / (having + 0.5)))


def _top(scores: Floats, count: int) -> Rows:
    """Where the `count` highest are, in ascending order of place."""
    if count >= len(scores):
        return np.arange(len(scores))
    return np.sort(np.argpartition(scores, len(scores) - count)[len(scores) - count :])
