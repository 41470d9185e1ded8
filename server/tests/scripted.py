"""A model that says what a test tells it to."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import sqrt
from typing import Any, Literal
from uuid import UUID

from bivelio_server.ai.port import (
    AI,
    LANGUAGE,
    Classified,
    Embedded,
    Extracted,
    JSONSchema,
    Label,
    NoSuchModel,
    Prompt,
    Reply,
    TextDelta,
    ToolCall,
    UnknownModel,
    Usage,
)
from bivelio_server.app import PROVIDERS
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Services
from bivelio_server.kit.providers import Provider, Providers

MODEL = "scripted-1"
Turn = Reply | Exception | Callable[[Prompt], Awaitable[Reply]]


@dataclass
class Scripted:
    """`turns` are its answers, one after another; what it was asked is in `prompts`, of which model in `asked`."""

    turns: list[Turn] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    label: str | None = "plan_upgrade"
    entities: dict[str, Any] = field(default_factory=dict)
    engine: str = "scripted"
    model: str = MODEL
    #: What it embeds with, and what it still can besides; `embedded` are the passages it was given, with the model.
    embedding_model: str = "scripted-e1"
    former_models: set[str] = field(default_factory=set)
    embedded: list[tuple[str, str]] = field(default_factory=list)

    def by(self, model: str) -> AI:
        """Has the models whose names begin as its own does."""
        if not model.startswith(self.model.split("-")[0]):
            raise UnknownModel(model, self.engine, self.model)
        return replace(self, model=model)

    async def complete(self, prompt: Prompt) -> Reply:
        self.prompts.append(prompt)
        self.asked.append(self.model)
        turn = self.turns.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return turn if isinstance(turn, Reply) else await turn(prompt)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[TextDelta | Reply, None]:
        reply = await self.complete(prompt)
        for word in reply.text.split(" "):
            await asyncio.sleep(0)
            yield TextDelta(word)
        yield reply

    async def classify(self, text: str, labels: Sequence[Label]) -> Classified:
        scores = {label.name: 0.01 for label in labels} | ({self.label: 0.94} if self.label else {})
        return Classified(self.label, 0.94 if self.label else 0.3, scores, self.engine, self.model, Usage(340, 2))

    async def extract(self, text: str, schema: JSONSchema) -> Extracted:
        found = {name: self.entities.get(name) for name in schema["properties"]}
        return Extracted(found, self.engine, self.model)

    async def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"], model: str | None = None
    ) -> Embedded:
        model = model or self.embedding_model
        if model not in {self.embedding_model, *self.former_models}:
            raise NoSuchModel
        if kind == "passage":
            self.embedded += [(model, text) for text in texts]
        await asyncio.sleep(0)
        return Embedded([_of_words(model, text) for text in texts], self.engine, model, Usage(prompt=len(texts)))

    def fits(self, text: str) -> bool:
        return len(text) <= 2000


def _of_words(model: str, text: str) -> list[float]:
    """Of unit length; the more words two texts share, the nearer they are."""
    vector = [1e-3] * 32
    for word in text.lower().split():
        vector[sha256(f"{model} {word}".encode()).digest()[0] % 32] += 1
    length = sqrt(sum(number * number for number in vector))
    return [number / length for number in vector]


def says(text: str = "", *, data: Any = None, calls: Sequence[tuple[str, dict[str, Any]]] = ()) -> Reply:
    """An answer of 100 tokens; `calls` are of tools, with their arguments."""
    asked = tuple(ToolCall(f"call_{number}", name, arguments) for number, (name, arguments) in enumerate(calls))
    return Reply("scripted", MODEL, Usage(prompt=80, output=20), text, data, asked)


class Scripts:
    """Which organisation has which model; those without one get what the application would give them."""

    def __init__(self, otherwise: Providers) -> None:
        self._otherwise = otherwise
        self._scripted: dict[UUID, AI] = {}

    def give(self, org_id: UUID, ai: AI) -> None:
        self._scripted[org_id] = ai

    @property
    def provider(self) -> Provider[AI]:
        return Provider(LANGUAGE, real=self._model_of, simulated=self._simulated)

    def _model_of(self, services: Services, caller: Caller) -> AI | None:
        return self._scripted.get(caller.org_id) or self._otherwise.of(LANGUAGE, services, caller)

    def _simulated(self, services: Services, caller: Caller) -> AI:
        found = self._model_of(services, caller)
        assert found is not None
        return found


SCRIPTS = Scripts(PROVIDERS)
