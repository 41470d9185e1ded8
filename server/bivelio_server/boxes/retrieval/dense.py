"""How near chunks are to a question: products of vectors in small numbers."""

from importlib import import_module
from typing import Any, Final

import numpy as np

from bivelio_server.boxes.retrieval.segments import Bytes, Floats

_LIMIT: Final = 127
_AT_ONCE: Final = 4096


class Direction:
    """A question's vector in small numbers."""

    def __init__(self, vector: Floats) -> None:
        self.dimension = len(vector)
        self._scale = float(np.abs(vector).max(initial=1e-12)) / _LIMIT
        self._small = np.rint(vector / self._scale).astype(np.int8)[np.newaxis]

    def cosines(self, vectors: Bytes, scales: Floats) -> Floats:
        """Nearly the cosine of each of `vectors` (chunks, dimension) times its scale."""
        found: Floats = _products(self._small, vectors) * (scales * np.float32(self._scale))
        return found


def _simsimd() -> Any:
    """None where there is no wheel of it."""
    try:
        return import_module("simsimd")
    except ImportError:
        return None


def _by_simsimd(one: Bytes, vectors: Bytes) -> Floats:
    found: Floats = np.asarray(_SIMSIMD.cdist(one, vectors, metric="dot", out_dtype="float32"))[0]
    return found


def _by_numpy(one: Bytes, vectors: Bytes) -> Floats:
    """In pieces: numpy multiplies no bytes, so each is made wider before."""
    wide, found = one[0].astype(np.float32), np.empty(len(vectors), np.float32)
    for first in range(0, len(vectors), _AT_ONCE):
        piece = vectors[first : first + _AT_ONCE]
        np.dot(piece.astype(np.float32), wide, out=found[first : first + len(piece)])
    return found


_SIMSIMD: Final = _simsimd()
_products: Final = _by_numpy if _SIMSIMD is None else _by_simsimd
