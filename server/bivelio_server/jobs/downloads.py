"""Fetching what a job has made: `GET /v1/jobs/files/<token>`, for an hour, without any other credential."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from anyio import CancelScope
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bivelio_server.jobs import queries
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.links import GUARDS, Linked, Links, attachment

LINKS: Final = Links("/v1/jobs/files/{token}", "download of a job's file", timedelta(hours=1))
PATH: Final = LINKS.path


def download_url(context: Context, file_id: str) -> str:
    return LINKS.address(context, file_id)


class Downloads:
    """The ASGI application. A token that is wrong, expired, or of a file that is gone gets the same 404."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        request.state.operation = "jobs.download"
        linked = LINKS.open(self._services, request.path_params["token"])
        async with self._services.database.transaction_opened_by(linked.opening) as session:
            found = await queries.file(session, linked.key)
        if found is None:
            raise NotFound
        headers = {**GUARDS, "Content-Length": str(found.bytes), "Content-Disposition": attachment(found.name)}
        return StreamingResponse(self._pieces(linked), headers=headers, media_type=found.media_type)

    async def _pieces(self, linked: Linked) -> AsyncIterator[bytes]:
        """Each in a transaction of its own: a slow reader holds no connection."""
        number, piece = 0, await self._piece(linked, 0)
        while piece is not None:
            yield piece
            number += 1
            piece = await self._piece(linked, number)

    async def _piece(self, linked: Linked, number: int) -> bytes | None:
        piece = None
        # A reader who goes away must not cost the pool the connection of a query that is under way.
        with CancelScope(shield=True):
            async with self._services.database.transaction_opened_by(linked.opening) as session:
                piece = await queries.file_piece(session, linked.key, number)
        return piece
