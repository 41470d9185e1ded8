"""Adapters of both kinds, at a server that speaks both providers' protocols and was written by others."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from llmock.pytest_plugin import LLMock
from pydantic import SecretStr

from bivelio_server.ai.generative import Configuration, GenerativeAI
from bivelio_server.ai.generative.retrying import Retries

KEY = "a-key-that-nobody-may-see"
MODELS = {"gemini": "gemini-2.5-flash", "openai": "gpt-4o"}
Make = Callable[..., GenerativeAI]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes adapters that wait next to nothing between tries."""
    async with AsyncExitStack() as made:

        def adapter(engine: str, url: str, *, seconds: float = 10, embedding: str | None = None) -> GenerativeAI:
            configuration = Configuration(engine, MODELS[engine], url, SecretStr(KEY), seconds, embedding)
            ai = GenerativeAI(configuration, None, Retries(base_seconds=0.01))
            made.push_async_callback(ai.aclose)
            return ai

        yield adapter


@pytest.fixture(params=["gemini", "openai"])
def ai(request: pytest.FixtureRequest, make: Make, llmock: LLMock) -> GenerativeAI:
    return make(request.param, llmock.base_url(request.param))
