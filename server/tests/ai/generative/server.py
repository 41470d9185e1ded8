"""A server that answers whatever it is told to, for what no mock of a provider does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bivelio_server.kit import json


@dataclass(frozen=True)
class Answer:
    """`promised` bytes are announced; the connection is closed after `body` all the same."""

    body: bytes
    content_type: str = "application/json"
    promised: int | None = None
    extra: str = ""
    status: str = "200 OK"


@dataclass
class Scripted:
    """`asked` are the bodies of the requests, `paths` their targets; the last answer stays."""

    answers: list[Answer]
    url: str = ""
    asked: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line.partition(":")[2] for line in head.splitlines() if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        self.paths.append(head.split()[1])
        self.asked.append(json.loads_trusted(body) if body else None)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        length = len(answer.body) if answer.promised is None else answer.promised
        headers = f"content-type: {answer.content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n"
        writer.write(f"HTTP/1.1 {answer.status}\r\n{headers}{answer.extra}\r\n".encode() + answer.body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def scripted_server(*answers: Answer) -> AsyncIterator[Scripted]:
    scripted = Scripted(list(answers))
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield scripted
