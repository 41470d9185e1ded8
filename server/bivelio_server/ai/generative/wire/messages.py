"""Our messages as pydantic-ai's, and the other way round."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from bivelio_server.ai.port import Prompt, Reply, Tool, ToolCall, ToolResult, Usage, UserMessage
from bivelio_server.kit import json

#: The tool by which a model answers that takes no schema beside tools.
ANSWER: Final = "final_answer"


def messages_of(prompt: Prompt) -> list[ModelMessage]:
    written: list[ModelMessage] = []
    parts: list[ModelRequestPart] = []
    for message in prompt.messages:
        if isinstance(message, UserMessage):
            parts.append(UserPromptPart(message.text))
        elif isinstance(message, ToolResult):
            parts.append(_result(message))
        else:
            response = _response(message)
            written += [ModelRequest(parts=parts), response] if parts else [response]
            parts = _taken(response)
    return [*written, ModelRequest(parts=parts, instructions=prompt.instructions)]


def parameters_of(prompt: Prompt, model: Model) -> ModelRequestParameters:
    """The tools and the schema of the answer: the model's own way where it has one, a tool to answer by where not."""
    tools = [_tool(tool) for tool in prompt.tools]
    if prompt.output_schema is None:
        return ModelRequestParameters(function_tools=tools)
    schema = dict(prompt.output_schema)
    if _takes_schema(model, beside_tools=bool(tools)):
        answer = OutputObjectDefinition(json_schema=schema, name="answer")
        return ModelRequestParameters(function_tools=tools, output_mode="native", output_object=answer)
    by_tool = ToolDefinition(
        name=ANSWER, description="Give the final answer.", parameters_json_schema=schema, kind="output"
    )
    return ModelRequestParameters(
        function_tools=tools, output_mode="tool", output_tools=[by_tool], allow_text_output=False
    )


def reply_of(response: ModelResponse, prompt: Prompt, engine: str, model: str) -> Reply:
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    called = [part for part in response.parts if isinstance(part, ToolCallPart)]
    answers = [part.args_as_dict() for part in called if part.tool_name == ANSWER]
    calls = tuple(
        ToolCall(part.tool_call_id, part.tool_name, part.args_as_dict()) for part in called if part.tool_name != ANSWER
    )
    data = None
    if prompt.output_schema is not None and not calls:
        data = _json_in(json.dumps(answers[0]).decode() if answers else text)
    return Reply(engine, model, usage_of(response.usage), text=text, data=data, calls=calls, raw=response)


def usage_of(usage: RequestUsage) -> Usage:
    return Usage(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.output_reasoning_tokens)


def _takes_schema(model: Model, *, beside_tools: bool) -> bool:
    if not model.profile.get("supports_json_schema_output", False):
        return False
    # Gemini before 3 takes tools or a schema, not both.
    return not beside_tools or model.system != "google" or bool(model.profile.get("google_supports_tool_combination"))


def _tool(tool: Tool) -> ToolDefinition:
    return ToolDefinition(name=tool.name, description=tool.description, parameters_json_schema=dict(tool.parameters))


def _result(result: ToolResult) -> ToolReturnPart[Any]:
    return ToolReturnPart(
        tool_name=result.call.name,
        content=result.content,
        tool_call_id=result.call.id,
        outcome="failed" if result.failed else "success",
    )


def _response(reply: Reply) -> ModelResponse:
    """What the provider itself said where it is known: thought signatures are in there."""
    if isinstance(reply.raw, ModelResponse):
        return reply.raw
    parts: list[ModelResponsePart] = [ToolCallPart(call.name, call.arguments, call.id) for call in reply.calls]
    said = reply.text or ("" if reply.data is None else json.dumps(reply.data).decode())
    return ModelResponse(parts=[TextPart(said), *parts] if said else parts)


def _taken(response: ModelResponse) -> list[ModelRequestPart]:
    """No provider takes a call of a tool that has no result."""
    parts: Sequence[ModelResponsePart] = response.parts
    return [
        ToolReturnPart(tool_name=ANSWER, content="Read.", tool_call_id=part.tool_call_id)
        for part in parts
        if isinstance(part, ToolCallPart) and part.tool_name == ANSWER
    ]


def _json_in(text: str) -> Any:
    """The JSON that the text is, perhaps in a fence, its decimals exact; None where it is none."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return json.loads(bare)
    except json.InvalidJSON:
        return None
