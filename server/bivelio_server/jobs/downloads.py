"""Fetching what a job has made: `GET /v1/jobs/files/<token>`, for an hour, without any other credential.

The token is sealed with the secret key and holds organisation, environment, file and the time until which it is good:
nobody can make one, alter one, or read from it whose it is.
"""

import base64
import binascii
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from anyio import CancelScope
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bivelio_server.jobs import queries
from bivelio_server.kit import json
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.db import opening
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.secrets import DecryptionFailed

PATH: Final = "/v1/jobs/files/{token}"
VALID: Final = timedelta(hours=1)
_ROW: Final = "download of a job's file"
_MAX_TOKEN: Final = 1000


def download_url(context: Context, file_id: str) -> str:
    caller, until = context.caller, context.services.clock.outside() + VALID
    plain = json.dumps([str(caller.org_id), caller.environment.value, file_id, int(until.timestamp())]).decode()
    token = _encoded(context.services.cipher.encrypt(plain, row=_ROW))
    return f"{context.services.settings.address}{PATH.format(token=token)}"


class Downloads:
    """The ASGI application. A token that is wrong, expired, or of a file that is gone gets the same 404."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        request.state.operation = "jobs.download"
        key = self._key(request.path_params["token"])
        async with self._services.database.transaction_opened_by(_opening(key)) as session:
            found = await queries.file(session, key)
        if found is None:
            raise NotFound
        headers = {**_HEADERS, "Content-Length": str(found.bytes), "Content-Disposition": attachment(found.name)}
        return StreamingResponse(self._pieces(key), headers=headers, media_type=found.media_type)

    async def _pieces(self, key: dict[str, Any]) -> AsyncIterator[bytes]:
        """Each in a transaction of its own: a slow reader holds no connection."""
        number, piece = 0, await self._piece(key, 0)
        while piece is not None:
            yield piece
            number += 1
            piece = await self._piece(key, number)

    async def _piece(self, key: dict[str, Any], number: int) -> bytes | None:
        piece = None
        # A reader who goes away must not cost the pool the connection of a query that is under way.
        with CancelScope(shield=True):
            async with self._services.database.transaction_opened_by(_opening(key)) as session:
                piece = await queries.file_piece(session, key, number)
        return piece

    def _key(self, token: str) -> dict[str, Any]:
        try:
            sealed = base64.urlsafe_b64decode(token[:_MAX_TOKEN] + "=" * (-len(token) % 4))
            if _encoded(sealed) != token:
                raise NotFound
            plain = self._services.cipher.decrypt(sealed, row=_ROW)
        except (DecryptionFailed, binascii.Error, ValueError):
            raise NotFound from None
        org_id, environment, file_id, until = json.loads_trusted(plain)
        if datetime.fromtimestamp(until, self._services.clock.now().tzinfo) <= self._services.clock.now():
            raise NotFound
        return {"org_id": UUID(org_id), "environment": environment, "file_id": file_id}


def _encoded(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def attachment(name: str) -> str:
    """A Content-Disposition that no name can break out of (RFC 6266)."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._- ") else "_" for char in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _opening(key: dict[str, Any]) -> str:
    return opening(key["org_id"], Environment(key["environment"]))


_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
