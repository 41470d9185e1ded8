"""Embeddings by Gemini, at a server that takes what google-genai's own types take, and beside google-genai itself.

No mock of Gemini that others wrote has this endpoint. What the server checks is the published schema of
`batchEmbedContents`: https://ai.google.dev/api/embeddings
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from google import genai
from google.genai.types import Content, ContentEmbedding, EmbedContentConfig, EmbedContentResponse, HttpOptions
from pydantic import BaseModel, ConfigDict, Field

from bivelio_server.ai.generative.wire.provider import MOST_EMBEDDED
from bivelio_server.kit import json
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from tests.ai.generative.conftest import KEY, Make
from tests.ai.generative.server import Answer, Scripted, scripted_server

pytestmark = pytest.mark.anyio
MODEL = "gemini-embedding-001"
PATH = f"/v1beta/models/{MODEL}:batchEmbedContents"
TEXTS = ["factura", "contrato"]


class One(BaseModel):
    """An `EmbedContentRequest`: its content and settings are google-genai's own types."""

    model_config = ConfigDict(extra="forbid")

    model: Literal["models/gemini-embedding-001"]
    content: Content
    task_type: Literal["RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY"] = Field(alias="taskType")


class Batch(BaseModel):
    """The service takes a hundred at most."""

    model_config = ConfigDict(extra="forbid")

    requests: list[One] = Field(min_length=1, max_length=100)


def answer(*vectors: list[float]) -> Answer:
    response = EmbedContentResponse(embeddings=[ContentEmbedding(values=vector) for vector in vectors])
    return Answer(json.dumps(response.model_dump(by_alias=True, exclude_none=True)))


def read(asked: Any) -> tuple[list[str | None], set[str]]:
    """Texts and tasks of a request that the service would take."""
    batch = Batch.model_validate(asked)
    for one in batch.requests:
        EmbedContentConfig(task_type=one.task_type)
    return [part.text for one in batch.requests for part in one.content.parts or ()], {
        one.task_type for one in batch.requests
    }


@asynccontextmanager
async def gemini(*answers: Answer) -> AsyncIterator[Scripted]:
    async with scripted_server(*answers) as server:
        yield server


@pytest.mark.parametrize(("kind", "task"), [("passage", "RETRIEVAL_DOCUMENT"), ("query", "RETRIEVAL_QUERY")])
async def test_texts_are_embedded_for_what_they_are(make: Make, kind: Literal["passage", "query"], task: str) -> None:
    async with gemini(answer([3.0, 4.0], [0.0, 2.0])) as server:
        ai = make("gemini", server.url, embedding=MODEL)

        embedded = await ai.embed(TEXTS, kind)

    assert server.paths == [PATH]
    assert read(server.asked[0]) == (TEXTS, {task})
    assert (embedded.vectors, embedded.model) == ([[0.6, 0.8], [0.0, 1.0]], MODEL)


async def test_google_genai_asks_the_same_and_reads_the_same(make: Make) -> None:
    async with gemini(answer([0.6, 0.8], [0.0, 1.0])) as server:
        google = genai.Client(api_key=KEY, http_options=HttpOptions(base_url=server.url))
        ours = await make("gemini", server.url, embedding=MODEL).embed(TEXTS, "passage")
        theirs = await google.aio.models.embed_content(
            model=MODEL, contents=list(TEXTS), config=EmbedContentConfig(task_type="RETRIEVAL_DOCUMENT")
        )
        await google.aio.aclose()

    assert server.paths == [PATH, PATH]
    assert read(server.asked[0]) == read(server.asked[1])
    assert ours.vectors == [found.values for found in theirs.embeddings or ()]


async def test_more_than_the_service_takes_at_once_is_asked_for_in_turns(make: Make) -> None:
    texts = [f"texto {number}" for number in range(MOST_EMBEDDED + 1)]
    async with gemini(answer(*[[1.0, 0.0]] * MOST_EMBEDDED), answer([0.0, 1.0])) as server:
        embedded = await make("gemini", server.url, embedding=MODEL).embed(texts, "passage")

    assert [text for asked in server.asked for text in read(asked)[0]] == texts
    assert (len(server.asked), len(embedded.vectors), embedded.vectors[-1]) == (2, len(texts), [0.0, 1.0])


async def test_no_texts_need_no_request(make: Make) -> None:
    async with gemini(answer()) as server:
        embedded = await make("gemini", server.url, embedding=MODEL).embed([], "passage")

    assert (server.asked, embedded.vectors, embedded.model) == ([], [], MODEL)


async def test_fewer_vectors_than_texts_are_no_answer(make: Make) -> None:
    async with gemini(answer([1.0, 0.0])) as server:
        with pytest.raises(IntegrationFailed):
            await make("gemini", server.url, embedding=MODEL).embed(TEXTS, "passage")


async def test_what_gemini_refuses_is_told(make: Make) -> None:
    refusal = {"error": {"code": 404, "message": "models/x is not found.", "status": "NOT_FOUND"}}
    async with gemini(Answer(json.dumps(refusal), status="404 Not Found")) as server:
        with pytest.raises(IntegrationRefused) as refused:
            await make("gemini", server.url, embedding=MODEL).embed(TEXTS, "query")

    assert (refused.value.details["status"], refused.value.details["provider"]) == (404, "models/x is not found.")
    assert refused.value.details["model"] == MODEL
