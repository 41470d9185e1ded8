"""The port of language models by what this server carries."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Literal

from bivelio_server.ai.embedded.classifying import classifier
from bivelio_server.ai.embedded.embedding import MODEL, embedder
from bivelio_server.ai.embedded.extracting import extract
from bivelio_server.ai.naming import EMBEDDED
from bivelio_server.ai.port import (
    AI,
    Classified,
    Embedded,
    Extracted,
    JSONSchema,
    Label,
    NeedsGenerativeModel,
    Prompt,
    Reply,
    TextDelta,
    Usage,
)


class EmbeddedAI:
    """`folder` keeps what is computed once. Making one costs nothing: the models are loaded when they are first used,
    once for the process."""

    engine = EMBEDDED
    model = MODEL

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
        return await self._classifier.classify(text, labels)

    async def extract(self, text: str, schema: JSONSchema) -> Extracted:
        """What patterns can tell, and None for the rest."""
        return Extracted(await asyncio.to_thread(extract, text, schema), self.engine, "patterns")

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Embedded:
        encoded = await self._embedder.encode(texts, kind)
        return Embedded(encoded.vectors.tolist(), MODEL, Usage(prompt=encoded.tokens))
