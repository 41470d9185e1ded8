"""What invoking an agent costs beyond the time of its model, at a provider that answers after a known delay."""

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from load import percentile, request
from place import Place, spent

DELAY = 0.1
BETWEEN_PIECES = 0.005
PIECES = 20
#: Invocations that are measured one after another, and eight at once.
ALONE, TOGETHER = 120, 400
USAGE = {"prompt_tokens": 80, "completion_tokens": 20, "total_tokens": 100}


@dataclass
class Provider:
    """Speaks `/chat/completions`. `own` is how long it took itself for each invocation, by the number in its text;
    `own_first` until the first piece."""

    own: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    own_first: dict[int, float] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (asked := await _request_of(reader)) is not None:
            began, number = time.perf_counter(), int(re.findall(r"case-(\d+)", json.dumps(asked["messages"]))[0])
            await asyncio.sleep(DELAY)
            if asked.get("stream"):
                await self._stream(writer, number, began)
            else:
                _reply(writer, _answer(asked))
            await writer.drain()
            self.own[number] += time.perf_counter() - began
        writer.close()

    async def _stream(self, writer: asyncio.StreamWriter, number: int, began: float) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in range(PIECES):
            _chunk(writer, _event(_choice("delta", {"role": "assistant", "content": f"palabra {piece} "}, None)))
            if not piece:
                self.own_first[number] = time.perf_counter() - began
            await asyncio.sleep(BETWEEN_PIECES)
        _chunk(writer, _event({**_choice("delta", {}, "stop"), "usage": USAGE}) + b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")


@dataclass(frozen=True)
class Took:
    """Milliseconds of one invocation that were not the provider's: all of it, and until the first piece of a stream."""

    all: float
    first: float


async def measure(here: Place) -> None:
    print(f"\nagents.invoke over HTTP, beyond the time of a provider that answers after {DELAY * 1000:.0f} ms")
    provider = Provider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    configured = replace(here, settings={"OPENAI_URL": url, "AI_MODEL": "local"})
    async with server, _second(configured) as there:
        await asyncio.to_thread(there.call, "/v1/contacts/create", {"name": "María García"})
        plain = await _agent(there, "Directo")
        tool = await _agent(there, "Con herramienta", {"operation": "contacts.list"})
        for name, agent, streams in (
            ("plain", plain, False),
            ("one tool call", tool, False),
            ("streamed", plain, True),
        ):
            for connections, count in ((1, ALONE), (8, TOGETHER)):
                await _measure(there, provider, f"{name}, {connections} at once", agent, streams, connections, count)


async def _measure(
    there: Place, provider: Provider, name: str, agent: str, streams: bool, connections: int, count: int
) -> None:
    def one(number: int) -> Callable[[], Awaitable[Took]]:
        data = {"agent_id": agent, "input": {"text": f"¿A quién conocemos? case-{number}"}, "stream": streams}
        return lambda: _invoke(there, provider, request("/v1/agents/invoke", there.key, data), number)

    first = len(provider.own)
    await _together([one(number) for number in range(first, first + 2 * connections)], connections)
    first = len(provider.own)
    with spent(there) as cpu:
        took = await _together([one(number) for number in range(first, first + count)], connections)
    print(f"  {name:28}  {_spread([one.all for one in took])}", end="")
    print(f"   first piece {_spread([one.first for one in took])}" if streams else "")
    print(f"    CPU: server {1000 * cpu['server'] / count:.1f} ms, PostgreSQL {1000 * cpu['postgres'] / count:.1f} ms")


async def _together(calls: list[Callable[[], Awaitable[Took]]], connections: int) -> list[Took]:
    waiting, took = iter(calls), []

    async def one_after_another() -> None:
        for call in waiting:
            took.append(await call())

    await asyncio.gather(*(one_after_another() for _ in range(connections)))
    return took


async def _invoke(there: Place, provider: Provider, asked: bytes, number: int) -> Took:
    reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
    began = time.perf_counter()
    writer.write(asked)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"text/event-stream" in head:
        first = await _last_event(reader)
    else:
        body = await reader.readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
        assert json.loads(body)["data"]["status"] == "completed", body
        first = began
    all_of_it = time.perf_counter() - began - provider.own[number]
    writer.close()
    return Took(all_of_it * 1000, (first - began - provider.own_first.get(number, 0.0)) * 1000)


async def _last_event(reader: asyncio.StreamReader) -> float:
    """Read a stream to its result; when its first piece was there."""
    first, events = 0.0, b""
    while b"event: result" not in events or not events.endswith(b"\n\n"):
        events += await _read_chunk(reader)
        assert b"event: error" not in events, events
        if not first and b"event: delta" in events:
            first = time.perf_counter()
    return first


async def _read_chunk(reader: asyncio.StreamReader) -> bytes:
    length = int(await reader.readline(), 16)
    return (await reader.readexactly(length + 2))[:-2]


async def _agent(there: Place, name: str, *tools: dict[str, Any]) -> str:
    given = {"name": name, "instructions": "Answer briefly.", "tools": list(tools)}
    return str((await asyncio.to_thread(there.call, "/v1/agents/create", given))["id"])


@asynccontextmanager
async def _second(here: Place) -> AsyncIterator[Place]:
    second = here.second()
    there = await asyncio.to_thread(second.__enter__)
    try:
        yield there
    finally:
        await asyncio.to_thread(second.__exit__, None, None, None)


async def _request_of(reader: asyncio.StreamReader) -> Any:
    """The body of the next request; None when there comes no more."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        return json.loads(await reader.readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _answer(asked: Any) -> dict[str, Any]:
    """A tool first, where there is one that was not used yet."""
    if asked.get("tools") and asked["messages"][-1]["role"] != "tool":
        function = {"name": asked["tools"][0]["function"]["name"], "arguments": "{}"}
        call = {"id": "call_1", "type": "function", "function": function}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {**_choice("message", said, "tool_calls"), "usage": USAGE}
    return {**_choice("message", {"role": "assistant", "content": "A María García."}, "stop"), "usage": USAGE}


def _choice(kind: str, said: dict[str, Any], reason: str | None) -> dict[str, Any]:
    name = "chat.completion" if kind == "message" else "chat.completion.chunk"
    choices = [{"index": 0, kind: said, "finish_reason": reason}]
    return {"id": "c", "object": name, "created": 1, "model": "local", "choices": choices}


def _reply(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _chunk(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")


def _spread(values: list[float]) -> str:
    values = sorted(values)
    return f"p50 {percentile(values, 0.5):6.1f} ms   p99 {percentile(values, 0.99):6.1f} ms"
