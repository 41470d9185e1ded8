"""A reader and a model that say what a test wants them to say."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal

from bivelio_server.ai.port import (
    AI,
    Classified,
    Embedded,
    Extracted,
    JSONSchema,
    Label,
    Prompt,
    Reply,
    TextDelta,
    Usage,
)
from bivelio_server.kit.errors import APIError
from bivelio_server.reading.port import Box, Limits, Page, Reading, Tell, Unreadable, Word, to_nobody

LIMITS = Limits()


def reading(text: str, pages: int = 1, source: Literal["text", "ocr"] = "text") -> Reading:
    """The words of a text on its first page, each 10 points wide and high, a line below the other."""
    words = [
        Word(word, Box(place * 10.0, row * 10.0, place * 10.0 + 10, row * 10.0 + 10))
        for row, line in enumerate(text.splitlines())
        for place, word in enumerate(line.split())
    ]
    first = Page(1, 595, 842, source, words)
    empty = [Page(number, 595, 842, source, ()) for number in range(2, pages + 1)]
    return Reading("application/pdf", pages, [first, *empty], text, (), "scripted")


class ScriptedReader:
    """Reads a file as the text that it is, unless it is told what to answer; one of a name that is `held`, then."""

    def __init__(self) -> None:
        self.answer: Reading | Unreadable | Exception | None = None
        self.was_asked = asyncio.Event()
        self.read_files: list[tuple[bytes, str | None]] = []
        self.held: dict[str | None, asyncio.Event] = {}
        self.limits, self.tell = LIMITS, to_nobody

    async def read(
        self, content: bytes, *, filename: str | None = None, limits: Limits = LIMITS, tell: Tell = to_nobody
    ) -> Reading:
        self.read_files.append((content, filename))
        self.limits, self.tell = limits, tell
        self.was_asked.set()
        if filename in self.held:
            await self.held[filename].wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or reading(content.decode("utf-8", "replace"))


class ScriptedModel:
    """Answers with `data`, and remembers what it was asked."""

    def __init__(self, engine: str = "gemini") -> None:
        self.engine = engine
        self.model = "scripted-model"
        self.data: dict[str, Any] = {}
        self.label: tuple[str | None, float] = (None, 0.0)
        self.summary: dict[str, Any] = {}
        self.error: APIError | None = None
        self.asked: list[Any] = []

    def by(self, model: str) -> AI:
        raise NotImplementedError(model)

    async def complete(self, prompt: Prompt) -> Reply:
        self._take(prompt)
        return Reply(self.engine, self.model, Usage(10, 5), data=self.summary)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[TextDelta | Reply, None]:
        yield await self.complete(prompt)

    async def classify(self, text: str, labels: Sequence[Label]) -> Classified:
        self._take([label.name for label in labels])
        label, confidence = self.label
        return Classified(label, confidence, {}, self.engine, self.model)

    async def extract(self, text: str, schema: JSONSchema) -> Extracted:
        self._take(schema)
        return Extracted(self.data, self.engine, self.model)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Embedded:
        raise NotImplementedError

    def _take(self, asked: Any) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error
