"""Somebody's server on loopback that takes webhooks: it records every request, and answers as it is told to."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

#: Gives the answer to a request: a status, or a status and headers, or these and a body.
Answer = Callable[["Received"], Awaitable["int | tuple[int, dict[str, str]] | tuple[int, dict[str, str], bytes]"]]


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> Any:
        return json.loads(self.body)


def always(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    async def answer(_request: Received) -> tuple[int, dict[str, str], bytes]:
        return status, headers or {}, body

    return answer


def in_turn(*statuses: int) -> Answer:
    """One status after the other; the last one for ever."""
    rest = list(statuses)

    async def answer(_request: Received) -> int:
        return rest.pop(0) if len(rest) > 1 else rest[0]

    return answer


async def hang(_request: Received) -> int:
    await asyncio.Event().wait()
    return 200


@dataclass
class Receiver:
    answer: Answer
    port: int = 0
    requests: list[Received] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ids(self) -> set[str]:
        return {request.id for request in self.requests}

    async def until(self, condition: Callable[[list[Received]], bool], seconds: float = 20) -> list[Received]:
        """The requests, as soon as `condition` is true of them."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(lambda: condition(self.requests))
        return self.requests

    async def wait(self, count: int, seconds: float = 20) -> list[Received]:
        """The requests, as soon as there are `count`."""
        return await self.until(lambda requests: len(requests) >= count, seconds)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read(reader)
                async with self.changed:
                    self.requests.append(request)
                    self.changed.notify_all()
                answer = await self.answer(request)
                writer.write(_render(*((answer,) if isinstance(answer, int) else answer)))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(answer: Answer | None = None) -> AsyncIterator[Receiver]:
    """A receiver that takes everything, unless it is told to answer otherwise."""
    receiver = Receiver(answer or always(200))
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    receiver.port = listener.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        listener.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await listener.wait_closed()


def _render(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    fields = {"Content-Length": str(len(body)), **(headers or {})}
    lines = [f"HTTP/1.1 {status} Answer", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(request_line.split(" ")[1], headers, body, time.monotonic())
