"""The segment of a file, part by part: a file of thousands of chunks is never in memory as anything larger.

It needs numpy, so `publishing` loads it when the first file is ready.
"""

from collections.abc import Sequence

import numpy as np

from bivelio_server.boxes.retrieval.analysis import terms_of
from bivelio_server.boxes.retrieval.segments import Stored, joined, stored


def part_of(texts: Sequence[str], vectors: Sequence[bytes]) -> Stored:
    """Of chunks with these texts, in context, and these vectors as `box_vectors` holds them."""
    numbers = np.frombuffer(b"".join(vectors), "<f2").astype(np.float32).reshape(len(vectors), -1)
    return stored(numbers, [terms_of(text) for text in texts])


def whole_of(parts: Sequence[Stored]) -> Stored:
    return joined(parts) if parts else stored(np.zeros((0, 1), np.float32), [])
