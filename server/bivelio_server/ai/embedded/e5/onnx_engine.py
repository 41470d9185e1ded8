"""e5 by ONNX Runtime: several times as fast as the engine that comes with the weights."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import onnxruntime
import structlog
from numpy.typing import NDArray

from bivelio_server.ai.embedded.e5 import golden
from bivelio_server.ai.embedded.e5.engine import PREFIXES, Encoded, Kind, Steps, prefixed
from bivelio_server.ai.embedded.e5.graph_files import graph_file
from bivelio_server.ai.embedded.e5.graphs import GraphName
from bivelio_server.ai.embedded.e5.tokenizer import Tokenizer
from bivelio_server.ai.embedded.e5.weights import Floats, Unusable, Weights
from bivelio_server.ai.embedded.e5.windows import Means, Window, batches, windows_of

Ids = NDArray[np.int64]
Mask = NDArray[np.int32]

_log = structlog.get_logger()
_GRAPHS: Final[dict[Kind, GraphName]] = {"query": "nb4", "passage": "row4", "topic": "nb4"}
#: Texts that are cut into tokens before others have their turn.
_CUT_AT_ONCE: Final = 32
#: A piece of this frequency counts half in a topic.
_FREQUENT: Final = 1e-3


class OnnxEngine:
    """`folder` keeps the graphs. Raises Unusable where ONNX Runtime does not compute what it should."""

    name = "onnxruntime"

    def __init__(self, weights: Weights, folder: Path) -> None:
        self._weights = weights
        self._folder = folder
        pieces = weights.pieces()
        self._tokenizer = Tokenizer(pieces)
        self._rarity = _FREQUENT / (_FREQUENT + np.exp(pieces.scores))
        self._rarity[self._tokenizer.ids(PREFIXES["topic"])] = 0
        self._words = weights.quantized("emb.word", weights.width)
        places = weights.floats("emb.pos").reshape(-1, weights.width)
        self._places = places + weights.floats("emb.type")[: weights.width]
        self._sessions: dict[GraphName, onnxruntime.InferenceSession] = {}
        self._loading = Lock()
        self._session("nb4")

    def encode(self, texts: Sequence[str], kind: Kind) -> Steps:
        session = self._session(_GRAPHS[kind])
        size = self._weights.positions - 2
        windows: list[Window] = []
        for index, text in enumerate(texts):
            windows += windows_of(index, self._tokenizer.ids(prefixed(text, kind)), size)
            if index % _CUT_AT_ONCE == _CUT_AT_ONCE - 1:
                yield
        means = Means(len(texts), self._weights.width)
        for batch in batches(windows):
            means.add(batch, self._run(session, batch, kind))
            yield
        return Encoded(means.vectors(), sum(len(window.ids) + 2 for window in windows))

    def tokens(self, text: str) -> int:
        return len(self._tokenizer.ids(prefixed(text, "passage"))) + 2

    def _session(self, graph: GraphName) -> onnxruntime.InferenceSession:
        with self._loading:
            if graph not in self._sessions:
                self._sessions[graph] = self._loaded(graph)
            return self._sessions[graph]

    def _loaded(self, graph: GraphName) -> onnxruntime.InferenceSession:
        session = _open(graph_file(graph, self._weights, self._folder))
        ids = self._tokenizer.ids(prefixed(golden.TEXT, "query"))
        if golden.is_sound(self._run(session, [Window(0, ids)], "query")[0]):
            return session
        _log.error("graph_is_wrong", graph=graph)
        if graph == "nb4":
            raise Unusable("ONNX Runtime computes something else than the model on this machine")
        return self._sessions["nb4"]

    def _run(self, session: onnxruntime.InferenceSession, windows: Sequence[Window], kind: Kind) -> Floats:
        """(windows, width): the mean of the states of each window's tokens."""
        ids, mask = self._filled_up(windows)
        states = session.run(["states"], {"tokens": self._embedded(ids), "mask": mask})[0]
        shares = mask * (self._rarity[ids] if kind == "topic" else np.float32(1))
        means: Floats = np.einsum("tlw,tl->tw", states, shares) / shares.sum(axis=1, keepdims=True)
        return means.astype(np.float32)

    def _filled_up(self, windows: Sequence[Window]) -> tuple[Ids, Mask]:
        """Ids and mask (windows, length of the longest)."""
        length = max(len(window.ids) for window in windows) + 2
        ids = np.full((len(windows), length), self._tokenizer.eos, np.int64)
        mask = np.zeros((len(windows), length), np.int32)
        for row, window in enumerate(windows):
            ids[row, : len(window.ids) + 2] = [self._tokenizer.bos, *window.ids, self._tokenizer.eos]
            mask[row, : len(window.ids) + 2] = 1
        return ids, mask

    def _embedded(self, ids: Ids) -> Floats:
        """(windows, length, width). Each row of the file is read once, however often its piece occurs."""
        unique, places = np.unique(ids, return_inverse=True)
        words = self._words.take(unique)[places.reshape(ids.shape)]
        return words + self._places[: ids.shape[1]]


def _open(graph: str | bytes) -> onnxruntime.InferenceSession:
    """One thread, which does not spin while it waits: processes are what there are several of. Without the arena, the
    memory of a batch is given back."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
