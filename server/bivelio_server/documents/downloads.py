"""Fetching a document: `GET /v1/documents/files/<token>`, for an hour, without any other credential; in parts, too."""

import re
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bivelio_server.documents import queries
from bivelio_server.documents.views import LINKS
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.links import GUARDS, attachment
from bivelio_server.kit.storage import FileMissing, StoredFile

PATH: Final = LINKS.path
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Downloads:
    """The ASGI application. A token that is wrong, expired, or of a document that is gone gets the same 404."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        request.state.operation = "documents.download"
        linked = LINKS.open(self._services, request.path_params["token"])
        async with self._services.database.transaction_opened_by(linked.opening) as session:
            found = await queries.file_to_send(session, linked.key)
        if found is None:
            raise NotFound
        file, tag = StoredFile.from_json(found.file), f'"{found.file["sha256"]}"'
        headers = {**GUARDS, "Accept-Ranges": "bytes", "ETag": tag, "Content-Disposition": attachment(found.filename)}
        asked = request.headers.get("range") if request.headers.get("if-range", tag) == tag else None
        part = _part(asked, file.bytes)
        if part is None:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.bytes}"})
        start, end = part
        headers["Content-Length"] = str(end - start)
        is_whole = (start, end) == (0, file.bytes)
        if not is_whole:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.bytes}"
        body = _nothing() if request.method == "HEAD" else await self._begun(file, start, end)
        return StreamingResponse(body, 200 if is_whole else 206, headers, media_type=found.mime_type)

    async def _begun(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes]:
        """The part, its first piece read already: a file that is not there is no reply that breaks off."""
        pieces = self._services.storage.open(file.key, start, end)
        try:
            first = await anext(pieces, b"")
        except FileMissing:
            raise NotFound from None
        return _joined(first, pieces)


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


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
