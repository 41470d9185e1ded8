"""The providers' own libraries and ours, at the same server: the same answer, the same usage, the same request."""

import pytest
from google import genai
from google.genai.types import GenerateContentConfig, HttpOptions
from llmock.pytest_plugin import LLMock
from openai import AsyncOpenAI

from bivelio_server.ai.port import Prompt, Reply, Tool, ToolResult, Usage, UserMessage
from bivelio_server.kit import json
from bivelio_server.kit.errors import IntegrationFailed
from tests.ai.generative.conftest import KEY, Make
from tests.ai.generative.server import Answer, scripted_server

pytestmark = pytest.mark.anyio
PROMPT = Prompt("Answer briefly.", [UserMessage("Hello, how are you?")])
CLOCK = Tool("clock", "The time.", {"type": "object", "properties": {}})

THOUGHT = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [{"functionCall": {"name": "clock", "args": {}}, "thoughtSignature": "c2lnbmVkLXRob3VnaHQ="}],
            },
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 7,
        "totalTokenCount": 127,
    },
}
SAID = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Noon."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 130, "candidatesTokenCount": 2, "totalTokenCount": 132},
}
CHAT = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Noon."}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 27,
        "total_tokens": 127,
        "prompt_tokens_details": {"cached_tokens": 40},
        "completion_tokens_details": {"reasoning_tokens": 7},
    },
}


async def test_google_genai_hears_and_counts_the_same(make: Make, llmock: LLMock) -> None:
    ai = make("gemini", llmock.base_url("gemini"))
    llmock.reply("Fine, thanks.", times=2)
    google = genai.Client(api_key=KEY, http_options=HttpOptions(base_url=llmock.base_url("gemini")))

    ours = await ai.complete(PROMPT)
    theirs = await google.aio.models.generate_content(
        model="gemini-2.5-flash",
        contents="Hello, how are you?",
        config=GenerateContentConfig(system_instruction="Answer briefly."),
    )
    await google.aio.aclose()

    assert theirs.usage_metadata is not None
    assert ours.text == theirs.text == "Fine, thanks."
    assert ours.usage.prompt == theirs.usage_metadata.prompt_token_count
    assert ours.usage.output == theirs.usage_metadata.candidates_token_count


async def test_openai_hears_and_counts_the_same(make: Make, llmock: LLMock) -> None:
    ai = make("openai", llmock.base_url("openai"))
    llmock.reply("Fine, thanks.", times=2)

    ours = await ai.complete(PROMPT)
    async with AsyncOpenAI(base_url=llmock.base_url("openai"), api_key=KEY) as client:
        theirs = await client.chat.completions.create(
            model="gpt-4o",
            messages=[
                {"role": "system", "content": "Answer briefly."},
                {"role": "user", "content": "Hello, how are you?"},
            ],
        )

    assert theirs.usage is not None
    assert ours.text == theirs.choices[0].message.content == "Fine, thanks."
    assert (ours.usage.prompt, ours.usage.output) == (theirs.usage.prompt_tokens, theirs.usage.completion_tokens)


async def test_thought_signatures_survive_a_round_of_tools(make: Make) -> None:
    async with scripted_server(Answer(json.dumps(THOUGHT)), Answer(json.dumps(SAID))) as server:
        ai = make("gemini", server.url)
        first = await ai.complete(Prompt("Be exact.", [UserMessage("What time is it?")], [CLOCK]))
        told = [UserMessage("What time is it?"), first, ToolResult(first.calls[0], {"time": "12:00"})]

        second = await ai.complete(Prompt("Be exact.", told, [CLOCK]))

        asked = server.asked[1]
    assert second.text == "Noon."
    assert asked["contents"][1]["parts"][0]["thoughtSignature"] == "c2lnbmVkLXRob3VnaHQ="
    assert asked["contents"][2]["parts"][0]["functionResponse"]["response"] == {"time": "12:00"}
    assert asked["systemInstruction"]["parts"][0]["text"] == "Be exact."


async def test_cached_and_thought_tokens_of_gemini_are_told_apart(make: Make) -> None:
    async with scripted_server(Answer(json.dumps(THOUGHT))) as server:
        reply = await make("gemini", server.url).complete(Prompt("Be exact.", PROMPT.messages, [CLOCK]))

    assert reply.usage == Usage(prompt=100, output=27, cached=40, thought=7)


async def test_cached_and_thought_tokens_of_openai_are_told_apart(make: Make) -> None:
    async with scripted_server(Answer(json.dumps(CHAT))) as server:
        reply = await make("openai", f"{server.url}/v1").complete(PROMPT)

    assert (reply.usage, server.paths) == (Usage(prompt=100, output=27, cached=40, thought=7), ["/v1/chat/completions"])


async def test_an_answer_of_another_adapter_is_told_again_in_words(make: Make) -> None:
    said = Reply("embedded", "other", Usage(), text="It was noon.")
    async with scripted_server(Answer(json.dumps(CHAT))) as server:
        await make("openai", server.url).complete(Prompt("Be exact.", [*PROMPT.messages, said, UserMessage("And?")]))

    assert [message["role"] for message in server.asked[0]["messages"]] == ["system", "user", "assistant", "user"]
    assert server.asked[0]["messages"][2]["content"] == "It was noon."


async def test_a_provider_that_leads_elsewhere_is_not_followed(make: Make) -> None:
    async with scripted_server(Answer(json.dumps(CHAT))) as thief:
        moved = Answer(b"", extra=f"location: {thief.url}/chat/completions\r\n", status="307 Temporary Redirect")
        async with scripted_server(moved) as server:
            with pytest.raises(IntegrationFailed):
                await make("openai", server.url).complete(PROMPT)

        assert thief.asked == []


async def test_texts_are_embedded_by_the_provider_if_one_is_configured_for_it(make: Make, llmock: LLMock) -> None:
    ai = make("openai", llmock.base_url("openai"), embedding="text-embedding-3-small")

    embedded = await ai.embed(["factura", "contrato"], "passage")

    assert (len(embedded.vectors), embedded.model) == (2, "text-embedding-3-small")
    assert all(abs(sum(value * value for value in vector) - 1) < 1e-6 for vector in embedded.vectors)
