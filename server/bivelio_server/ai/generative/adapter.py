"""A provider's model as the port of language models."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any, Final, Literal, TypeVar

from bivelio_server.ai.generative.configuration import Configuration
from bivelio_server.ai.generative.failures import UNFIT, ProviderFailed, ProviderRefused
from bivelio_server.ai.generative.loading import Connection, Provider
from bivelio_server.ai.generative.questions import LIKELY, classification, extraction
from bivelio_server.ai.generative.retrying import Patience, Retries
from bivelio_server.ai.measuring import Measured, measured
from bivelio_server.ai.naming import EMBEDDED, split
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
    UnknownModel,
    Usage,
    UserMessage,
)
from bivelio_server.kit import tracing
from bivelio_server.kit.json_schema import checked

AnswerT = TypeVar("AnswerT")
#: How often a model is told that its answer does not fit.
_REPAIRS: Final = 1
#: Characters that no provider's model for embeddings finds too long, whatever the script.
_FITS_ANY: Final = 2000


class GenerativeAI:
    """One for the process: connections are kept. `embedding` embeds where the provider is not to.

    `model` is the configured one, or another that somebody has named.
    """

    def __init__(
        self,
        configuration: Configuration,
        embedding: AI | None,
        retries: Retries | None = None,
        *,
        model: str | None = None,
        connection: Connection | None = None,
    ) -> None:
        self.engine = configuration.engine
        self.model = model or configuration.model
        self._configuration = configuration
        self._embedding = embedding
        self._retries = retries or Retries()
        self._connection = connection or Connection(configuration)
        self._former: dict[str, GenerativeAI] = {}

    def by(self, model: str) -> AI:
        provider, name = split(model)
        if model == EMBEDDED and self._embedding is not None:
            return self._embedding
        if model == EMBEDDED or provider not in (None, self.engine):
            raise UnknownModel(model, self.engine, self._configuration.model)
        return GenerativeAI(
            self._configuration, self._embedding, self._retries, model=name, connection=self._connection
        )

    async def complete(self, prompt: Prompt) -> Reply:
        with self._measured() as call:
            reply = await self._tried(lambda provider, seconds: provider.complete(self.model, prompt, seconds), prompt)
            call.answered(reply.usage)
            return reply

    async def stream(self, prompt: Prompt) -> AsyncGenerator[TextDelta | Reply, None]:
        """Nothing is tried again once a piece was given out. An answer by a schema comes whole."""
        provider, patience, given = await self._connection.provider(), self._patience(prompt), False
        with self._measured() as call, tracing.span(f"ai {self.engine}", "client"):
            while not given:
                try:
                    async with aclosing(provider.stream(self.model, prompt, patience.seconds_left)) as pieces:
                        async for piece in pieces:
                            given = True
                            if isinstance(piece, Reply):
                                call.answered(piece.usage)
                            yield piece
                except ProviderFailed as failure:
                    if given:
                        raise
                    await patience.wait_after(failure)

    async def classify(self, text: str, labels: Sequence[Label]) -> Classified:
        reply, usage = await self._answered(classification(text, labels))
        label, confidence = reply["label"], float(reply["confidence"])
        found = label if confidence >= LIKELY else None
        return Classified(found, confidence, {label: confidence}, self.engine, self.model, usage)

    async def extract(self, text: str, schema: JSONSchema) -> Extracted:
        data, usage = await self._answered(extraction(text, schema))
        named = {name: data.get(name) for name in schema.get("properties", data)}
        return Extracted(named, self.engine, self.model, usage)

    @property
    def embedding_model(self) -> str:
        return self._configuration.embedding_model or self._carried.embedding_model

    async def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"], model: str | None = None
    ) -> Embedded:
        """A former model is asked of the same provider, unless it is the one that this server carries."""
        model, carried = model or self.embedding_model, self._embedding
        if carried is not None and (self._configuration.embedding_model is None or model == carried.embedding_model):
            return await carried.embed(texts, kind, model)
        if model != self._configuration.embedding_model:
            return await self._former_of(model).embed(texts, kind)
        with measured(self.engine, model) as call:
            embedded = await self._tried(lambda provider, seconds: provider.embed(texts, kind, seconds), None)
            call.answered(embedded.usage)
            return embedded

    def fits(self, text: str) -> bool:
        if self._configuration.embedding_model is None:
            return self._carried.fits(text)
        return len(text) <= _FITS_ANY

    async def aclose(self) -> None:
        for former in self._former.values():
            await former.aclose()
        await self._connection.aclose()

    @contextmanager
    def _measured(self) -> Iterator[Measured]:
        is_named = self.model != self._configuration.model
        with measured(self.engine, self.model, is_named=is_named) as call:
            try:
                yield call
            except ProviderRefused as refusal:
                if is_named and _is_of_its_name(refusal, self.model):
                    raise UnknownModel(self.model, self.engine, self._configuration.model, refusal.details) from refusal
                raise

    @property
    def _carried(self) -> AI:
        if self._embedding is None:
            raise RuntimeError("nothing embeds: neither a provider's model nor one that this server carries")
        return self._embedding

    def _former_of(self, model: str) -> "GenerativeAI":
        if model not in self._former:
            configuration = replace(self._configuration, embedding_model=model)
            self._former[model] = GenerativeAI(configuration, self._embedding, self._retries)
        return self._former[model]

    async def _tried(self, ask: Callable[[Provider, float], Awaitable[AnswerT]], prompt: Prompt | None) -> AnswerT:
        provider, patience = await self._connection.provider(), self._patience(prompt)
        with tracing.span(f"ai {self.engine}", "client"):
            while True:
                try:
                    return await ask(provider, patience.seconds_left)
                except ProviderFailed as failure:
                    await patience.wait_after(failure)

    async def _answered(self, prompt: Prompt) -> tuple[dict[str, Any], Usage]:
        """Data that fits the prompt's schema, and what it took. Raises ProviderFailed when none comes."""
        assert prompt.output_schema is not None
        schema, messages, usage = dict(prompt.output_schema), list(prompt.messages), Usage()
        for _ in range(_REPAIRS + 1):
            reply = await self.complete(Prompt(prompt.instructions, messages, output_schema=schema))
            usage += reply.usage
            _, problems = checked(schema, reply.data, "answer")
            if not problems:
                return reply.data, usage
            wrong = "; ".join(problem.text.en for problem in problems[:10])
            messages += [reply, UserMessage(f"The answer does not fit the schema: {wrong} Answer again, whole.")]
        raise ProviderFailed(UNFIT, details={"provider": wrong, "status": None})

    def _patience(self, prompt: Prompt | None) -> Patience:
        all_tries = self._configuration.seconds * self._retries.attempts
        asked = None if prompt is None else prompt.timeout_seconds
        return Patience(self._retries, all_tries if asked is None else asked)


def _is_of_its_name(refusal: ProviderRefused, model: str) -> bool:
    """Whether the model is what the provider does not accept; some say so with a 400 that tells its name."""
    status, said = refusal.details["status"], refusal.details["provider"]
    return status == 404 or (status == 400 and model in (said or ""))
