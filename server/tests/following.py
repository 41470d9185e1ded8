"""A client of the application that follows a stream of events, and can go away in the middle of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message

SECONDS = 20


class Event(NamedTuple):
    name: str
    data: Any
    id: str | None


@dataclass
class Following:
    """What has come so far; `comments` counts the signs of life."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    comments: int = 0
    is_complete: bool = False
    _text: str = ""
    _events: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def next(self) -> Event | None:
        """The next event; None when there is none any more."""
        async with asyncio.timeout(SECONDS):
            return await self._events.get()

    async def rest(self) -> list[Event]:
        events = []
        while (event := await self.next()) is not None:
            events.append(event)
        return events

    async def until(self, name: str) -> Event:
        """The next event of that name."""
        while (event := await self.next()) is not None:
            if event.name == name:
                return event
        raise AssertionError(f"the stream ended without {name}")

    def go_away(self) -> None:
        self._gone.set()

    @property
    def body(self) -> Any:
        """Of a refusal."""
        return json.loads(self._text)

    async def take(self, message: Message) -> None:
        if self._gone.is_set():
            raise OSError("the client is gone")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self._text += message.get("body", b"").decode()
        while self.headers["content-type"] == "text/event-stream" and "\n\n" in self._text:
            frame, _, self._text = self._text.partition("\n\n")
            self._read(frame)
        self.is_complete = not message.get("more_body", False)

    def end(self) -> None:
        self._events.put_nowait(None)

    def _read(self, frame: str) -> None:
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if not line.startswith(":"))
        self.comments += frame.startswith(":")
        if "event" in fields:
            self._events.put_nowait(Event(fields["event"], json.loads(fields["data"]), fields.get("id")))

    async def gone(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}


@asynccontextmanager
async def following(app: ASGIApp, path: str, data: Any, headers: Mapping[str, str]) -> AsyncIterator[Following]:
    """The reply to `{"data": data}` at `path` while it comes; leaving the block is going away."""
    reply = Following()
    body = [{"type": "http.request", "body": json.dumps({"data": data}).encode(), "more_body": False}]

    async def receive() -> Message:
        return body.pop() if body else await reply.gone()

    async def answer() -> None:
        try:
            await app(_scope(path, headers), receive, reply.take)
        finally:
            reply.end()

    answering = asyncio.create_task(answer())
    try:
        yield reply
    finally:
        reply.go_away()
        async with asyncio.timeout(SECONDS):
            await answering


def _scope(path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    named = {"content-type": "application/json", "host": "bivelio.test", **headers}
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 123), "server": ("bivelio.test", 80), "state": {},
    }  # fmt: skip
