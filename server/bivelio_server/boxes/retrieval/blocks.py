"""A part of a box's index in memory: the vectors of many chunks in one array, and by term the chunks that have it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bivelio_server.boxes.retrieval.segments import Bytes, Floats, Segment

#: Within so many chunks their numbers take two bytes.
MOST_CHUNKS: Final = 65_536
_MOST_TERMS: Final = 65_535
#: A posting as one number, which sorts faster than three arrays: its term above, then its chunk, then its count.
_ABOVE_COUNT: Final = np.uint64(8)
_ABOVE_CHUNK: Final = np.uint64(32)
_ONE_COUNT: Final = np.uint64(0xFF)
_ONE_CHUNK: Final = np.uint64(0xFF_FFFF)
#: What Python's own objects take for each file, about.
_FILE_BYTES: Final = 400


@dataclass(frozen=True, slots=True)
class Place:
    """The file whose chunks are the rows `[first, last)` of a block, as segment `seq` of the box."""

    seq: int
    file_id: str
    revision: int
    first: int
    last: int

    @property
    def chunks(self) -> int:
        return self.last - self.first


@dataclass(frozen=True, slots=True)
class Block:
    """The term `terms[i]` is in the rows `postings[starts[i]:starts[i + 1]]`, as often as `counts` says there.
    `lengths` are how many terms each row has."""

    places: tuple[Place, ...]
    vectors: Bytes
    scales: Floats
    lengths: NDArray[np.uint16]
    terms: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    postings: NDArray[np.unsignedinteger[Any]]
    counts: NDArray[np.uint8]

    @property
    def rows(self) -> int:
        return len(self.scales)

    @property
    def bytes(self) -> int:
        arrays = (self.vectors, self.scales, self.lengths, self.terms, self.starts, self.postings, self.counts)
        return sum(array.nbytes for array in arrays) + _FILE_BYTES * len(self.places)

    def having(self, term: int) -> slice:
        """Where in `postings` the rows with this term are."""
        at = int(np.searchsorted(self.terms, np.uint32(term)))
        if at == len(self.terms) or self.terms[at] != term:
            return slice(0, 0)
        return slice(int(self.starts[at]), int(self.starts[at + 1]))


def block_of(files: Sequence[tuple[int, str, int]], segments: Sequence[Segment]) -> Block:
    """`files` are each segment's number, its file and that file's revision. There is at least one."""
    counts = np.concatenate([segment.counts for segment in segments])
    sizes = np.concatenate([np.diff(segment.starts) for segment in segments])
    owners = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    lengths = np.bincount(owners.astype(np.intp), weights=counts, minlength=len(sizes))
    return _inverted(
        _placed(files, (len(segment.scales) for segment in segments)),
        np.concatenate([segment.vectors for segment in segments]),
        np.concatenate([segment.scales for segment in segments]),
        np.minimum(lengths, _MOST_TERMS).astype(np.uint16),
        _postings(np.concatenate([segment.terms for segment in segments]), owners, counts),
    )


def merged(parts: Sequence[tuple[Block, Sequence[Place]]]) -> Block:
    """One block of what is to stay of several, at least one place in all."""
    kept = [(block, place) for block, places in parts for place in places]
    first, postings = 0, []
    for block, places in parts:
        postings.append(_postings_of(block, places, first))
        first += sum(place.chunks for place in places)
    return _inverted(
        _placed([(place.seq, place.file_id, place.revision) for _, place in kept], (place.chunks for _, place in kept)),
        np.concatenate([block.vectors[place.first : place.last] for block, place in kept]),
        np.concatenate([block.scales[place.first : place.last] for block, place in kept]),
        np.concatenate([block.lengths[place.first : place.last] for block, place in kept]),
        np.concatenate(postings),
    )


def _placed(files: Iterable[tuple[int, str, int]], sizes: Iterable[int]) -> Iterator[Place]:
    first = 0
    for (seq, file_id, revision), size in zip(files, sizes, strict=True):
        yield Place(seq, file_id, revision, first, first + size)
        first += size


def _postings(terms: NDArray[np.uint32], owners: NDArray[np.uint64], counts: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return terms.astype(np.uint64) << _ABOVE_CHUNK | owners << _ABOVE_COUNT | counts


def _postings_of(block: Block, places: Sequence[Place], first: int) -> NDArray[np.uint64]:
    """Those of the rows of these places, which are numbered anew from `first` on."""
    numbers = np.full(block.rows, -1, np.int64)
    for place in places:
        numbers[place.first : place.last] = np.arange(first, first + place.chunks)
        first += place.chunks
    owners = numbers[block.postings]
    stay = owners >= 0
    terms = np.repeat(block.terms, np.diff(block.starts))
    return _postings(terms[stay], owners[stay].astype(np.uint64), block.counts[stay])


def _inverted(
    places: Iterable[Place],
    vectors: Bytes,
    scales: Floats,
    lengths: NDArray[np.uint16],
    postings: NDArray[np.uint64],
) -> Block:
    postings.sort()
    terms = (postings >> _ABOVE_CHUNK).astype(np.uint32)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(terms)) + 1]) if len(terms) else np.array([], np.int64)
    numbers: type[np.unsignedinteger[Any]] = np.uint16 if len(scales) <= MOST_CHUNKS else np.uint32
    return Block(
        tuple(places),
        vectors,
        scales,
        lengths,
        terms[starts],
        np.append(starts, len(terms)).astype(np.uint32),
        (postings >> _ABOVE_COUNT & _ONE_CHUNK).astype(numbers),
        (postings & _ONE_COUNT).astype(np.uint8),
    )
