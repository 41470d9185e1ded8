"""An agent that follows instructions: the model is asked, does what it may with its tools, and is asked again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

from bivelio_server.agents.errors import LimitReached, UnfitOutput
from bivelio_server.agents.execution_schemas import AgentDelta, AgentToolUse
from bivelio_server.agents.masking import storable
from bivelio_server.agents.outcome import Asked, Outcome
from bivelio_server.agents.prompting import Marks
from bivelio_server.agents.schemas import AgentDefinition
from bivelio_server.agents.tools import (
    Hand,
    bounded,
    call_key,
    described,
    granted_to,
    input_of,
    refusal_of,
)
from bivelio_server.ai.port import (
    AI,
    Message,
    Prompt,
    Reply,
    TextDelta,
    ToolCall,
    ToolResult,
    UserMessage,
)
from bivelio_server.kit import json
from bivelio_server.kit.errors import APIError, IntegrationFailed
from bivelio_server.kit.json_schema import checked
from bivelio_server.kit.streaming import StreamEvent, Tell

#: What one answer may ask to have done; what is more is told to be too much.
MAX_CALLS: Final = 10
#: Tokens of one answer: models refuse to be asked for more than they can write.
MAX_ANSWER: Final = 8192


class Conversation:
    """One execution. `outcome` is what it has come to so far, whenever it breaks off."""

    def __init__(
        self, ai: AI, agent: AgentDefinition, hand: Hand, outcome: Outcome, *, key: str, tell: Tell, streams: bool
    ) -> None:
        self._ai = ai
        self._agent = agent
        self._hand = hand
        self._outcome = outcome
        self._key = key
        self._tell = tell
        self._streams = streams
        self._granted = granted_to(agent, hand.services, hand.caller)
        self._tools = tuple(described(self._granted))
        self._messages: list[Message] = []
        self._calls = 0
        self._repaired = False
        self._deadline = asyncio.get_running_loop().time() + agent.limits.seconds

    async def go(self, text: str, context: str) -> None:
        """Raises IntegrationFailed: the model's own, LimitReached, UnfitOutput."""
        marks = Marks()
        instructions = marks.instructions(self._agent)
        self._messages.append(UserMessage(marks.data(text, context)))
        self._begin(instructions, text, context)
        for _ in range(self._agent.limits.steps):
            reply = await self._ask(instructions)
            if reply.calls:
                if await self._use_tools(reply):
                    return
            elif self._ends_with(reply):
                return
        raise LimitReached("steps", self._agent.limits.steps)

    def _begin(self, instructions: str, text: str, context: str) -> None:
        prompt = {
            "instructions": instructions,
            "text": text,
            "context": json.loads_trusted(context) if context else {},
            "tools": [tool.name for tool in self._tools],
            "output_schema": self._agent.output_schema,
        }
        self._outcome.note(self._hand.services.clock, "prompt", prompt)

    async def _ask(self, instructions: str) -> Reply:
        limits, outcome, loop = self._agent.limits, self._outcome, asyncio.get_running_loop()
        tokens_left, seconds_left = limits.tokens - outcome.usage.total, self._deadline - loop.time()
        if tokens_left <= 0:
            raise LimitReached("tokens", limits.tokens)
        prompt = Prompt(
            instructions, tuple(self._messages), self._tools, self._agent.output_schema,
            max_tokens=min(tokens_left, MAX_ANSWER), timeout_seconds=max(0.1, seconds_left),
        )  # fmt: skip
        began = time.monotonic()
        async with self._in_time():
            reply = await (self._streamed(prompt) if self._streams else self._ai.complete(prompt))
        self._note(reply, began)
        return reply

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Raises LimitReached when the agent's seconds are over."""
        limit = asyncio.timeout_at(self._deadline)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise LimitReached("seconds", self._agent.limits.seconds) from None

    async def _streamed(self, prompt: Prompt) -> Reply:
        async with aclosing(self._ai.stream(prompt)) as pieces:
            async for piece in pieces:
                if isinstance(piece, TextDelta):
                    self._tell(StreamEvent("delta", AgentDelta(text=storable(piece.text))))
                else:
                    return piece
        raise IntegrationFailed

    def _note(self, reply: Reply, began: float) -> None:
        outcome = self._outcome
        outcome.engine, outcome.model, outcome.usage = reply.engine, reply.model, outcome.usage + reply.usage
        outcome.answers += 1
        said = {
            "engine": reply.engine,
            "model": reply.model,
            "text": reply.text,
            "data": reply.data,
            "calls": [{"tool": call.name, "arguments": call.arguments} for call in reply.calls],
            "usage": usage_of(reply),
        }
        outcome.note(self._hand.services.clock, "model", storable(said), since=began)

    async def _use_tools(self, reply: Reply) -> bool:
        """Whether the execution ends here, because something waits for a decision."""
        async with self._in_time():
            results = [await self._use(call, number) for number, call in enumerate(reply.calls)]
        self._messages += [reply, *results]
        if self._outcome.asked:
            self._outcome.status, self._outcome.output = "waiting_approval", {"text": storable(reply.text)}
        return bool(self._outcome.asked)

    async def _use(self, call: ToolCall, number: int) -> ToolResult:
        """What the model is told. Whatever it got wrong, it may try again."""
        began, granted = time.monotonic(), self._granted.get(call.name)
        if number >= MAX_CALLS:
            return self._failed(call, began, {"message": f"More than {MAX_CALLS} calls at once: this one is not done."})
        if granted is None:
            known = ", ".join(self._granted) or "none"
            return self._failed(call, began, {"message": f"There is no tool of that name. Your tools: {known}."})
        operation = granted.operation
        try:
            data = input_of(operation, call.arguments)
            if granted.waits:
                self._outcome.asked.append(Asked(operation.name, storable(call.arguments)))
                return self._told(
                    call, began, "waiting_approval", {"message": "A person decides whether this is done."}
                )
            self._calls += 1
            result = bounded(await self._hand.do(operation, data, call_key(self._key, self._calls)))
        except APIError as error:
            return self._failed(call, began, refusal_of(error))
        except asyncio.CancelledError:
            self._failed(call, began, {"message": "It was broken off."})
            raise
        return self._told(call, began, "done", result)

    def _failed(self, call: ToolCall, began: float, error: dict[str, Any]) -> ToolResult:
        return self._told(call, began, "failed", error)

    def _told(self, call: ToolCall, began: float, status: Any, result: Any) -> ToolResult:
        granted = self._granted.get(call.name)
        name = storable(call.name)[:100] if granted is None else granted.operation.name
        used = {"operation": name, "arguments": storable(call.arguments), "status": status, "result": result}
        self._outcome.note(self._hand.services.clock, "tool", used, since=began)
        self._tell(StreamEvent("tool", AgentToolUse(operation=name, status=status)))
        return ToolResult(call, result, failed=status == "failed")

    def _ends_with(self, reply: Reply) -> bool:
        """Whether the answer is one. Raises UnfitOutput when it has been asked for twice."""
        schema = self._agent.output_schema
        if schema is None:
            self._outcome.status, self._outcome.output = "completed", {"text": storable(reply.text)}
            return True
        output, problems = checked(schema, storable(reply.data), "output")
        if not problems:
            self._outcome.status, self._outcome.output = "completed", output
            return True
        wrong = "; ".join(problem.text.en for problem in problems[:10])
        self._outcome.note(self._hand.services.clock, "repair", {"problems": wrong})
        if self._repaired:
            raise UnfitOutput(details={"problems": wrong})
        self._repaired = True
        self._messages += [reply, UserMessage(f"The answer does not fit the schema: {wrong} Answer again, whole.")]
        return False


def usage_of(said: Any) -> dict[str, int]:
    usage = said.usage
    return {"prompt": usage.prompt, "output": usage.output, "cached": usage.cached, "thought": usage.thought}
