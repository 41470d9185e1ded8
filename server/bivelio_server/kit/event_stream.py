"""A stream of events on the wire: `text/event-stream`, as the HTML standard defines it."""

import re
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Final

import structlog
from anyio import CancelScope, Lock, create_task_group, fail_after, sleep
from starlette.types import Receive, Scope, Send

from bivelio_server.kit import json
from bivelio_server.kit.db import passes_by_itself
from bivelio_server.kit.errors import APIError, InternalError, Unavailable
from bivelio_server.kit.streaming import RETRY_SECONDS, Ending, Reconnect, Stream, StreamEvent
from bivelio_server.kit.text import Language

MEDIA_TYPE: Final = "text/event-stream"
LAST_EVENT_ID: Final = "Last-Event-ID"
#: Proxies close connections on which nothing comes.
HEARTBEAT_SECONDS: Final = 15.0
#: Who does not take what was sent for so long is given up.
PATIENCE_SECONDS: Final = 30.0
_FAREWELL_SECONDS: Final = 2.0
_HEARTBEAT: Final = b":\n\n"
_HEADERS: Final = (
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)
_USABLE_ID: Final = re.compile(r"[\x21-\x7e]{1,100}")
_log = structlog.get_logger()


class _Gone(Exception):
    """The client takes nothing any more."""


class EventStream:
    """The ASGI reply. It ends when its events do, when its client goes away, or when its place is over."""

    _send: Send

    def __init__(
        self,
        stream: Stream,
        *,
        last_event_id: str | None,
        shown: Callable[[StreamEvent], dict[str, Any]],
        language: Language,
    ) -> None:
        self._stream = stream
        self._last_event_id = last_event_id if last_event_id and _USABLE_ID.fullmatch(last_event_id) else None
        self._shown = shown
        self._language = language
        self._is_gone = False
        self._sending = Lock()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            await self._push(f"retry: {RETRY_SECONDS * 1000}\n\n".encode())
            ending = await self._go_on(receive)
            await self._close(ending)
        except _Gone:
            _log.info("stream_broken_off")
        finally:
            self._stream.place.leave()

    async def _go_on(self, receive: Receive) -> Ending | None:
        """Why it ended; None when its events did."""
        failure: Ending | None = None
        async with create_task_group() as tasks:
            tasks.start_soon(self._notice_departure, receive, tasks.cancel_scope)
            tasks.start_soon(self._notice_end, tasks.cancel_scope)
            tasks.start_soon(self._beat, tasks.cancel_scope)
            failure = await self._pass_on()
            tasks.cancel_scope.cancel()
        return failure or self._stream.place.ending

    async def _pass_on(self) -> APIError | None:
        """What broke the events off."""
        try:
            async with aclosing(self._stream.events(self._last_event_id)) as events:
                async for event in events:
                    await self._push(self._encoded(event))
        except _Gone:
            self._is_gone = True
        except APIError as error:
            return error
        except Exception as error:  # noqa: BLE001 - the reply has begun: what goes wrong is told in it
            if passes_by_itself(error):
                return Unavailable()
            _log.error("stream_failed", exc_info=error)
            return InternalError()
        return None

    async def _notice_departure(self, receive: Receive, scope: CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        scope.cancel()

    async def _notice_end(self, scope: CancelScope) -> None:
        await self._stream.place.over.wait()
        scope.cancel()

    async def _beat(self, scope: CancelScope) -> None:
        try:
            while True:
                await sleep(HEARTBEAT_SECONDS)
                await self._push(_HEARTBEAT)
        except _Gone:
            self._is_gone = True
            scope.cancel()

    async def _push(self, chunk: bytes, *, more: bool = True) -> None:
        try:
            with fail_after(PATIENCE_SECONDS if more else _FAREWELL_SECONDS):
                async with self._sending:
                    await self._send({"type": "http.response.body", "body": chunk, "more_body": more})
        except OSError as error:  # as is a TimeoutError
            raise _Gone from error

    async def _close(self, ending: Ending | None) -> None:
        if not self._is_gone:
            farewell = b"" if ending is None else self._farewell(ending)
            await self._push(farewell, more=False)

    def _farewell(self, ending: Ending) -> bytes:
        if isinstance(ending, APIError):
            return _frame("error", ending.render(self._language), None)
        return _frame("reconnect", Reconnect(reason=ending).model_dump(), None)

    def _encoded(self, event: StreamEvent) -> bytes:
        return _frame(event.name, self._shown(event), event.id)


def _frame(name: str, data: dict[str, Any], event_id: str | None) -> bytes:
    """JSON is one line, so `data` is."""
    mark = f"id: {event_id}\n" if event_id is not None else ""
    return f"{mark}event: {name}\ndata: ".encode() + json.dumps(data) + b"\n\n"
