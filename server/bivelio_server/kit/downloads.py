"""Fetching a file by the address that an operation gave: for a while, without any other credential; in parts, too."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.links import GUARDS, Linked, Links, attachment
from bivelio_server.kit.storage import FileMissing

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Download:
    """A file as it is sent. `pieces` gives it from one byte up to another; without a `tag`, which names its content, it
    is only asked for the whole."""

    name: str
    media_type: str
    size: int
    pieces: Callable[[int, int], AsyncIterator[bytes]]
    tag: str | None = None


#: The file that an address leads to; None when it is gone.
Find: TypeAlias = Callable[[Services, Linked], Awaitable[Download | None]]


class Downloads:
    """The ASGI application of one kind of addresses; `operation` is its name in the log.

    A token that is wrong, expired, or of a file that is gone gets the same 404.
    """

    def __init__(self, services: Services, links: Links, operation: str, find: Find) -> None:
        self._services = services
        self._links = links
        self._operation = operation
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        request.state.operation = self._operation
        linked = self._links.open(self._services, request.path_params["token"])
        found = await self._find(self._services, linked)
        if found is None:
            raise NotFound
        headers = {**GUARDS, "Content-Disposition": attachment(found.name)}
        part: tuple[int, int] | None = (0, found.size)
        if found.tag is not None:
            headers |= {"Accept-Ranges": "bytes", "ETag": found.tag}
            asked = request.headers.get("range") if request.headers.get("if-range", found.tag) == found.tag else None
            part = _part(asked, found.size)
        if part is None:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{found.size}"})
        start, end = part
        headers["Content-Length"] = str(end - start)
        is_whole = part == (0, found.size)
        if not is_whole:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
        body = _nothing() if request.method == "HEAD" else await _begun(found.pieces(start, end))
        return StreamingResponse(body, 200 if is_whole else 206, headers, media_type=found.media_type)


def _part(asked: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None when there is no such part. What is not understood, or several parts,
    is answered with the whole (RFC 9110)."""
    found = _RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    start, end = int(first), min(size, int(last) + 1 if last else size)
    if last and int(last) < start:
        return 0, size
    return (start, end) if start < size else None


async def _begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The first piece is read already: a file that is not there is no reply that breaks off."""
    try:
        first = await anext(pieces, b"")
    except FileMissing:
        raise NotFound from None
    return _joined(first, pieces)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
