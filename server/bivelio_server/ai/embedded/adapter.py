"""The port of language models by what this server carries."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final, Literal

from bivelio_server.ai.embedded.classifying import classifier
from bivelio_server.ai.embedded.embedding import MODEL, embedder
from bivelio_server.ai.embedded.extracting import extract
from bivelio_server.ai.measuring import measured
from bivelio_server.ai.naming import EMBEDDED
from bivelio_server.ai.port import (
    AI,
    Classified,
    Embedded,
    Extracted,
    JSONSchema,
    Label,
    NeedsGenerativeModel,
    NoSuchModel,
    Prompt,
    Reply,
    TextDelta,
    Usage,
)

#: What extracts is no model.
_PATTERNS: Final = "patterns"


class EmbeddedAI:
    """`folder` keeps what is computed once. Making one costs nothing: the models are loaded when they are first used,
    once for the process."""

    engine = EMBEDDED
    model = MODEL
    embedding_model = MODEL

    def __init__(self, folder: Path) -> None:
        self._embedder = embedder(folder.absolute())
        self._classifier = classifier(self._embedder)

    def by(self, model: str) -> AI:
        if model not in (EMBEDDED, self.model):
            raise NeedsGenerativeModel(details={"field": "model", "wanted": model, "configured": EMBEDDED})
        return self

    async def complete(self, prompt: Prompt) -> Reply:  # noqa: ARG002  # the port's
        raise NeedsGenerativeModel

    def stream(self, prompt: Prompt) -> AsyncGenerator[TextDelta | Reply, None]:  # noqa: ARG002  # the port's
        raise NeedsGenerativeModel

    async def classify(self, text: str, labels: Sequence[Label]) -> Classified:
        """By meaning: what describes a label may be in another language than the text."""
        with measured(self.engine, self.model) as call:
            found = await self._classifier.classify(text, labels)
            call.answered(found.usage)
            return found

    async def extract(self, text: str, schema: JSONSchema) -> Extracted:
        """What patterns can tell, and None for the rest."""
        with measured(self.engine, _PATTERNS) as call:
            data = await asyncio.to_thread(extract, text, schema)
            call.answered(Usage())
            return Extracted(data, self.engine, _PATTERNS)

    async def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"], model: str | None = None
    ) -> Embedded:
        if model not in (None, MODEL):
            raise NoSuchModel(details={"provider": model})
        with measured(self.engine, self.model) as call:
            encoded = await self._embedder.encode(texts, kind)
            embedded = Embedded(encoded.vectors.tolist(), self.engine, self.model, Usage(prompt=encoded.tokens))
            call.answered(embedded.usage)
            return embedded

    def fits(self, text: str) -> bool:
        """Longer texts are embedded in windows, whose mean says less."""
        return self._embedder.is_one_window(text)
