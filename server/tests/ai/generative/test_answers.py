"""What a provider answers reaches whoever asked, whichever provider it is."""

import pytest
from llmock.pytest_plugin import LLMock

from bivelio_server.ai.generative import GenerativeAI
from bivelio_server.ai.port import Label, Prompt, Reply, TextDelta, Tool, ToolResult, UserMessage

pytestmark = pytest.mark.anyio

WEATHER = Tool(
    "get_weather",
    "The weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "string"}, "total": {"type": "number"}},
    "required": ["number", "total"],
}


def asked(text: str, **more: object) -> Prompt:
    return Prompt("Answer briefly.", [UserMessage(text)], **more)


async def test_a_text_is_answered_with_its_usage(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.reply("Buenos días.")

    reply = await ai.complete(asked("Say good morning in Spanish."))

    assert (reply.text, reply.engine, reply.model) == ("Buenos días.", ai.engine, ai.model)
    assert reply.usage.prompt > 0
    assert reply.usage.output > 0


async def test_another_model_of_the_same_provider_is_asked_by_its_name(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.reply("Buenos días.", times=2)
    name = {"gemini": "gemini-2.5-pro", "openai": "gpt-4.1"}[ai.engine]

    other = await ai.by(f"{ai.engine}:{name}").complete(asked("Say good morning in Spanish."))
    usual = await ai.complete(asked("Say good morning in Spanish."))

    assert (other.model, usual.model) == (name, ai.model)
    assert [asked.model for asked in llmock.requests] == [name, ai.model]


async def test_a_text_comes_in_pieces(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.reply("One two three four five six seven.")

    pieces = [piece async for piece in ai.stream(asked("Count."))]

    *deltas, last = pieces
    assert len(deltas) > 1
    assert isinstance(last, Reply)
    assert "".join(piece.text for piece in deltas if isinstance(piece, TextDelta)) == last.text
    assert last.text == "One two three four five six seven."
    assert last.usage.output > 0


async def test_the_model_asks_for_a_tool_and_reads_what_came_of_it(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.call_tool("get_weather", {"city": "Cuenca"}).reply("It rains in Cuenca.")
    first = await ai.complete(asked("What is the weather?", tools=[WEATHER]))
    [call] = first.calls
    assert (call.name, call.arguments) == ("get_weather", {"city": "Cuenca"})

    messages = [UserMessage("What is the weather?"), first, ToolResult(call, {"sky": "rain"})]
    second = await ai.complete(Prompt("Answer briefly.", messages, [WEATHER]))

    assert (second.text, second.calls) == ("It rains in Cuenca.", ())


async def test_a_tool_call_comes_at_the_end_of_a_stream(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.call_tool("get_weather", {"city": "Cuenca"})

    [last] = [piece async for piece in ai.stream(asked("What is the weather?", tools=[WEATHER]))]

    assert [(call.name, call.arguments) for call in last.calls] == [("get_weather", {"city": "Cuenca"})]


async def test_arguments_that_are_no_json_are_handed_on_as_what_they_are(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.break_tool_call("malformed_arguments")

    reply = await ai.complete(asked("What is the weather?", tools=[WEATHER]))

    assert reply.calls[0].name == "get_weather"
    assert "city" not in reply.calls[0].arguments or ai.engine == "gemini"


async def test_an_answer_by_a_schema_is_data(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.reply('{"number": "F-7", "total": 12.5}')

    reply = await ai.complete(asked("Invoice F-7, total 12,50", output_schema=SCHEMA))

    assert reply.data == {"number": "F-7", "total": 12.5}


async def test_an_answer_by_a_schema_beside_tools_is_data(ai: GenerativeAI, llmock: LLMock) -> None:
    prompt = asked("Invoice F-7, total 12,50", output_schema=SCHEMA, tools=[WEATHER])
    if ai.engine == "gemini":
        llmock.call_tool("final_answer", {"number": "F-7", "total": 12.5})
    else:
        llmock.reply('{"number": "F-7", "total": 12.5}')

    reply = await ai.complete(prompt)

    assert (reply.data, reply.calls) == ({"number": "F-7", "total": 12.5}, ())
    # What answered by a tool can be told that it was wrong.
    llmock.tool_mode("off")
    again = Prompt(prompt.instructions, [*prompt.messages, reply, UserMessage("Answer again.")])
    assert (await ai.complete(again)).text


async def test_a_text_is_classified(ai: GenerativeAI, llmock: LLMock) -> None:
    labels = [Label("complaint", "Something went wrong."), Label("order")]
    llmock.reply('{"label": "complaint", "confidence": 0.9}').reply('{"label": "order", "confidence": 0.2}')

    sure = await ai.classify("The parcel came broken.", labels)
    unsure = await ai.classify("Hello", labels)

    assert (sure.label, sure.confidence, sure.engine) == ("complaint", 0.9, ai.engine)
    assert (unsure.label, unsure.confidence) == (None, 0.2)


async def test_what_is_not_in_a_text_is_null(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.reply('{"number": "F-7", "total": null}')

    extracted = await ai.extract("Invoice F-7", SCHEMA)

    assert extracted.data == {"number": "F-7", "total": None}


async def test_an_answer_that_does_not_fit_is_asked_for_again(ai: GenerativeAI, llmock: LLMock) -> None:
    llmock.reply('{"number": 7, "total": "a lot"}').reply('{"number": "F-7", "total": 3}')

    extracted = await ai.extract("Invoice F-7: 3 EUR", SCHEMA)

    assert extracted.data == {"number": "F-7", "total": 3}
    assert len(llmock.requests) == 2
