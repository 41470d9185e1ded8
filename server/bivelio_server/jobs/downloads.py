"""Fetching what a job has made: `GET /v1/jobs/files/<token>`."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from anyio import CancelScope

from bivelio_server.jobs import queries
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.downloads import Download, Downloads
from bivelio_server.kit.links import Linked, Links
from bivelio_server.kit.storage import FileMissing

LINKS: Final = Links("/v1/jobs/files/{token}", "download of a job's file", timedelta(hours=1))
PATH: Final = LINKS.path


def download_url(context: Context, file_id: str) -> str:
    return LINKS.address(context, file_id)


def downloads(services: Services) -> Downloads:
    return Downloads(services, LINKS, "jobs.download", _find)


async def _find(services: Services, linked: Linked) -> Download | None:
    async with services.database.transaction_opened_by(linked.opening) as session:
        found = await queries.file(session, linked.key)
    if found is None:
        return None
    return Download(found.name, found.media_type, found.bytes, lambda _start, end: _pieces(services, linked, end))


async def _pieces(services: Services, linked: Linked, size: int) -> AsyncIterator[bytes]:
    """Each in a transaction of its own: a slow reader holds no connection. Raises FileMissing."""
    number, piece = 0, await _piece(services, linked, 0)
    if piece is None and size:
        raise FileMissing(linked.file_id)
    while piece is not None:
        yield piece
        number += 1
        piece = await _piece(services, linked, number)


async def _piece(services: Services, linked: Linked, number: int) -> bytes | None:
    piece = None
    # A reader who goes away must not cost the pool the connection of a query that is under way.
    with CancelScope(shield=True):
        async with services.database.transaction_opened_by(linked.opening) as session:
            piece = await queries.file_piece(session, linked.key, number)
    return piece
