"""What a search needs of one file, as it is stored: the vectors of its chunks in small numbers, and their terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.int8]

_LIMIT: Final = 127


@dataclass(frozen=True, slots=True)
class Segment:
    """`vectors` (chunks, dimension) times `scales` (chunks) are nearly the vectors; chunk number i has the terms
    `terms[starts[i]:starts[i + 1]]`, each as often as `counts` says (255 at most)."""

    vectors: Bytes
    scales: Floats
    starts: NDArray[np.uint32]
    terms: NDArray[np.uint32]
    counts: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Stored:
    """A segment as the columns `vectors` and `terms` of its row hold it, little-endian."""

    chunks: int
    vectors: bytes
    terms: bytes


def stored(vectors: Floats, terms: Sequence[Mapping[int, int]]) -> Stored:
    """The segment of chunks with these vectors of unit length (chunks, dimension) and these terms."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=1e-12)
    scales = (largest / _LIMIT).astype("<f4")
    small = np.rint(vectors / scales).astype(np.int8)
    ordered = [sorted(each.items()) for each in terms]
    starts = np.cumsum([0, *(len(each) for each in ordered)], dtype="<u4")
    numbers = np.array([term for each in ordered for term, _ in each], "<u4")
    counts = np.array([min(count, 255) for each in ordered for _, count in each], np.uint8)
    return Stored(
        len(terms), scales.tobytes() + small.tobytes(), starts.tobytes() + numbers.tobytes() + counts.tobytes()
    )


def joined(parts: Sequence[Stored]) -> Stored:
    """The segment of the chunks of these, one after the other."""
    segments = [loaded(part) for part in parts]
    sizes = np.concatenate([np.diff(each.starts) for each in segments], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype("<u4")
    vectors = [each.scales.tobytes() for each in segments] + [each.vectors.tobytes() for each in segments]
    terms = [each.terms.tobytes() for each in segments] + [each.counts.tobytes() for each in segments]
    return Stored(sum(part.chunks for part in parts), b"".join(vectors), b"".join((starts.tobytes(), *terms)))


def loaded(row: Stored) -> Segment:
    """The arrays, without a copy."""
    scales = np.frombuffer(row.vectors, "<f4", row.chunks)
    small = np.frombuffer(row.vectors, np.int8, offset=4 * row.chunks)
    starts = np.frombuffer(row.terms, "<u4", row.chunks + 1)
    size = int(starts[-1])
    terms = np.frombuffer(row.terms, "<u4", size, offset=4 * (row.chunks + 1))
    counts = np.frombuffer(row.terms, np.uint8, size, offset=4 * (row.chunks + 1 + size))
    return Segment(small.reshape(row.chunks, -1), scales, starts, terms, counts)
