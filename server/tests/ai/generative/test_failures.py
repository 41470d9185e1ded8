"""Providers fail in every way; callers get the answer all the same, or hear why not."""

import time
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from llmock.scenarios import Match, StreamFault

from bivelio_server.ai.generative import GenerativeAI
from bivelio_server.ai.port import AI, Prompt, Reply, TextDelta, UnknownModel, UserMessage
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from tests.ai.generative.conftest import KEY, Make
from tests.ai.generative.server import Answer, scripted_server

pytestmark = pytest.mark.anyio
PROMPT = Prompt("Answer briefly.", [UserMessage("Hello, how are you?")])


async def taken(ai: AI, prompt: Prompt = PROMPT) -> list[TextDelta | Reply]:
    return [piece async for piece in ai.stream(prompt)]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_failure_is_tried_again(ai: GenerativeAI, llmock: LLMock, status: int) -> None:
    llmock.fail(status, times=2).reply("Fine.")

    assert (await ai.complete(PROMPT)).text == "Fine."

    assert len(llmock.requests) == 3


async def test_retry_after_is_respected(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.rate_limit(retry_after=0.5).reply("Fine.")
    began = time.monotonic()

    assert (await ai.complete(PROMPT)).text == "Fine."

    assert time.monotonic() - began >= 0.5
    llmock.assert_resilient()


async def test_who_asks_for_a_long_rest_is_left_alone(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.rate_limit(retry_after=90, times=None)

    with pytest.raises(IntegrationFailed) as failed:
        await ai.complete(PROMPT)

    assert (failed.value.retryable, failed.value.retry_after, failed.value.details["status"]) == (True, 90, 429)
    assert len(llmock.requests) == 1


async def test_an_outage_ends_after_a_few_tries_with_what_the_provider_said(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.fail(503, times=None, message=f"Overloaded, {KEY}.")

    with pytest.raises(IntegrationFailed) as failed:
        await ai.complete(PROMPT)

    assert (failed.value.status, failed.value.code) == (503, "INTEGRATION_ERROR")
    assert failed.value.details == {
        "retryable": True, "provider": "Overloaded, ***.", "status": 503, "engine": ai.engine, "model": ai.model,
    }  # fmt: skip
    assert len(llmock.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_is_final(ai: GenerativeAI, llmock: LLMock, status: int) -> None:
    llmock.fail(status, times=None, message="No.")

    with pytest.raises(IntegrationRefused) as refused:
        await ai.complete(PROMPT)

    assert refused.value.details == {
        "retryable": False, "provider": "No.", "status": status, "engine": ai.engine, "model": ai.model,
    }  # fmt: skip
    assert len(llmock.requests) == 1


async def test_a_provider_that_takes_too_long_is_given_up(make: Make, llmock: LLMock) -> None:
    ai = make("gemini", llmock.base_url("gemini"))
    llmock.delay(2, times=None)
    began = time.monotonic()

    with pytest.raises(IntegrationFailed) as failed:
        await ai.complete(Prompt("Be quick.", PROMPT.messages, timeout_seconds=0.3))

    assert "did not answer in time" in failed.value.text.en
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("kind", ["disconnect", "truncate", "malformed"])
async def test_a_stream_that_breaks_before_the_first_piece_is_tried_again(
    ai: GenerativeAI, llmock: LLMock, kind: Any
) -> None:
    llmock.add(StreamFault(kind, after_chunks=0, match=Match(stream=True)))
    llmock.reply("One two three four.", times=2)

    *_, last = await taken(ai)

    assert isinstance(last, Reply)
    assert last.text == "One two three four."
    assert len(llmock.requests) == 2


@pytest.mark.parametrize("kind", ["disconnect", "truncate", "malformed"])
async def test_nothing_is_tried_again_once_a_piece_was_given_out(ai: GenerativeAI, llmock: LLMock, kind: Any) -> None:
    llmock.reply("One two three four five six seven eight.", times=2)
    llmock.add(StreamFault(kind, after_chunks=3, match=Match(stream=True)))
    given: list[TextDelta | Reply] = []

    async def take() -> None:
        async for piece in ai.stream(PROMPT):
            given.append(piece)  # noqa: PERF401 - kept piece by piece, as it ends with an error

    with pytest.raises(IntegrationFailed):
        await take()

    assert given
    assert not any(isinstance(piece, Reply) for piece in given)
    assert len(llmock.requests) == 1


async def test_a_stream_that_stalls_is_given_up(make: Make, llmock: LLMock) -> None:
    ai = make("openai", llmock.base_url("openai"), seconds=0.3)
    llmock.reply("One two three four five six seven eight.").stall(after_chunks=3, seconds=3)
    began = time.monotonic()

    with pytest.raises(IntegrationFailed):
        await taken(ai)

    assert time.monotonic() - began < 2


@pytest.mark.parametrize("engine", ["gemini", "openai"])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<html>Welcome to the captive portal</html>", "text/html"),
        Answer(b'{"candidates": [{"content"', "application/json"),
        Answer(b"[1, 2, 3]", "application/json"),
        Answer(b"{}", "application/json"),
        Answer(b'{"choices": [{"message": {"role": "assistant"}', "application/json", promised=5000),
    ],
    ids=["html", "cut", "another-shape", "empty", "half-closed"],
)
async def test_what_is_no_answer_is_a_failure_for_now(make: Make, engine: str, answer: Answer) -> None:
    async with scripted_server(answer) as server:
        ai = make(engine, server.url)

        with pytest.raises(IntegrationFailed) as failed:
            await ai.complete(PROMPT)

        assert failed.value.retryable
        assert failed.value.details["provider"]
        assert len(server.asked) == 3


async def test_a_server_that_is_not_there_is_a_failure_for_now(make: Make) -> None:
    async with scripted_server() as server:
        gone = server.url
    ai = make("openai", gone)

    with pytest.raises(IntegrationFailed) as failed:
        await ai.complete(PROMPT)

    assert failed.value.retryable


@pytest.mark.parametrize("status", [400, 404])
async def test_a_model_that_the_provider_does_not_have_is_told_by_its_name(
    ai: GenerativeAI, llmock: LLMock, status: int
) -> None:
    llmock.fail(status, times=None, message="There is no gemini-9.")

    for asked in (ai.by("gemini-9").complete(PROMPT), taken(ai.by("gemini-9"))):
        with pytest.raises(UnknownModel) as refused:
            await asked

        assert refused.value.details == {
            "retryable": False, "provider": "There is no gemini-9.", "status": status, "field": "model",
            "wanted": "gemini-9", "configured": ai.model, "engine": ai.engine, "model": "gemini-9",
        }  # fmt: skip


async def test_another_providers_model_is_not_asked_for(ai: GenerativeAI, llmock: LLMock) -> None:
    other = {"gemini": "openai", "openai": "gemini"}[ai.engine]

    with pytest.raises(UnknownModel):
        ai.by(f"{other}:some-model")

    assert llmock.requests == []
