"""One try at the configured provider."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any, Final, Literal

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.embeddings import EmbeddingResult
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings

from bivelio_server.ai.generative.configuration import Configuration
from bivelio_server.ai.generative.failures import BROKEN, ProviderFailed
from bivelio_server.ai.generative.wire.connecting import models_of
from bivelio_server.ai.generative.wire.errors import as_ours
from bivelio_server.ai.generative.wire.messages import messages_of, parameters_of, reply_of, usage_of
from bivelio_server.ai.port import Embedded, Prompt, Reply, TextDelta, Usage, Vector
from bivelio_server.kit.http import configured_client

#: A megabyte of text is more than any model writes; vectors of a thousand texts are longer.
_MAX_BYTES: Final = 64 * 1024 * 1024
#: Texts of one request: Gemini takes no more.
MOST_EMBEDDED: Final = 100
#: That are kept in mind; whoever defines agents may name any.
_MODELS: Final = 32


class WireProvider:
    """A `loading.Provider`."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._client = configured_client(configuration.url, provider="ai", max_response_bytes=_MAX_BYTES)
        make_model, make_embedding_model = models_of(configuration, self._client)
        self._model = lru_cache(maxsize=_MODELS)(make_model)
        name = configuration.embedding_model
        self._embedding_model = None if name is None else make_embedding_model(name)
        self._secret = configuration.key.get_secret_value() if configuration.key else None

    async def complete(self, model: str, prompt: Prompt, seconds: float) -> Reply:
        asked, messages, settings, parameters = self._request(model, prompt)
        with as_ours(self._secret):
            async with asyncio.timeout(min(seconds, self._configuration.seconds)):
                response = await model_request(
                    asked, messages, model_settings=settings, model_request_parameters=parameters
                )
            return self._reply(response, prompt, model)

    async def stream(self, model: str, prompt: Prompt, seconds: float) -> AsyncGenerator[TextDelta | Reply, None]:
        asked, messages, settings, parameters = self._request(model, prompt)
        deadline = asyncio.get_running_loop().time() + seconds
        async with AsyncExitStack() as held:
            with as_ours(self._secret):
                async with self._limit(deadline):
                    stream = await held.enter_async_context(
                        model_request_stream(
                            asked, messages, model_settings=settings, model_request_parameters=parameters
                        )
                    )
            events = aiter(stream)
            while (event := await self._next(events, deadline)) is not None:
                text = _text_of(event)
                if text and prompt.output_schema is None:
                    yield TextDelta(text)
            yield self._whole(stream, prompt, model)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"], seconds: float) -> Embedded:
        assert self._embedding_model is not None, "asked only where one is configured"
        vectors: list[Vector] = []
        usage, deadline = Usage(), asyncio.get_running_loop().time() + seconds
        for first in range(0, len(texts), MOST_EMBEDDED):
            batch = texts[first : first + MOST_EMBEDDED]
            result = await self._embed(batch, kind, deadline)
            vectors += [_unit(vector) for vector in result.embeddings]
            usage += usage_of(result.usage)
        return Embedded(vectors, self._configuration.engine, self._embedding_model.model_name, usage)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _embed(self, texts: Sequence[str], kind: Literal["query", "passage"], deadline: float) -> EmbeddingResult:
        assert self._embedding_model is not None
        input_type: Literal["query", "document"] = "query" if kind == "query" else "document"
        with as_ours(self._secret):
            async with self._limit(deadline):
                result = await self._embedding_model.embed(list(texts), input_type=input_type)
            if len(result.embeddings) != len(texts):
                raise ProviderFailed(BROKEN, details={"provider": "not as many vectors as texts", "status": None})
            return result

    def _request(
        self, model: str, prompt: Prompt
    ) -> tuple[Model, list[ModelMessage], ModelSettings, ModelRequestParameters]:
        # The libraries' own retries are off: `retrying.py` knows what is left of the time, and what was given out.
        settings = ModelSettings(max_retries=0)
        if prompt.max_tokens is not None:
            settings["max_tokens"] = prompt.max_tokens
        with as_ours(self._secret):
            asked = self._model(model)
            return asked, messages_of(prompt), settings, parameters_of(prompt, asked)

    def _limit(self, deadline: float) -> asyncio.Timeout:
        return asyncio.timeout_at(min(deadline, asyncio.get_running_loop().time() + self._configuration.seconds))

    async def _next(
        self, events: AsyncIterator[ModelResponseStreamEvent], deadline: float
    ) -> ModelResponseStreamEvent | None:
        with as_ours(self._secret):
            async with self._limit(deadline):
                return await anext(events, None)

    def _whole(self, stream: StreamedResponse, prompt: Prompt, model: str) -> Reply:
        with as_ours(self._secret):
            response = stream.get()
            if response.finish_reason is None:
                # A connection that is closed in the middle looks like the end.
                raise ProviderFailed(BROKEN, details={"provider": "the stream ended early", "status": None})
            return self._reply(response, prompt, model)

    def _reply(self, response: ModelResponse, prompt: Prompt, model: str) -> Reply:
        if not response.parts and response.finish_reason is None:
            raise ProviderFailed(BROKEN, details={"provider": "an answer without content", "status": None})
        return reply_of(response, prompt, self._configuration.engine, model)


def _text_of(event: Any) -> str:
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def _unit(vector: Sequence[float]) -> Sequence[float]:
    length = sum(value * value for value in vector) ** 0.5
    return [value / length for value in vector] if length else vector
