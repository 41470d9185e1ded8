"""Where there is no model at all: everything is refused."""

# ruff: noqa: ARG002 - whatever it is asked

from collections.abc import AsyncGenerator, Sequence
from typing import Literal

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
)
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Services


class NoModel:
    """An AI that can do nothing."""

    engine = "none"
    model = "none"

    async def complete(self, prompt: Prompt) -> Reply:
        raise NeedsGenerativeModel

    async def stream(self, prompt: Prompt) -> AsyncGenerator[TextDelta | Reply, None]:
        raise NeedsGenerativeModel
        yield

    async def classify(self, text: str, labels: Sequence[Label]) -> Classified:
        raise NeedsGenerativeModel

    async def extract(self, text: str, schema: JSONSchema) -> Extracted:
        raise NeedsGenerativeModel

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Embedded:
        raise NeedsGenerativeModel


def no_model(_services: Services, _caller: Caller) -> AI:
    return NoModel()
