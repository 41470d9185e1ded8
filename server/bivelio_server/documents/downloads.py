"""Fetching a document: `GET /v1/documents/files/<token>`."""

from functools import partial
from typing import Final

from bivelio_server.documents import queries
from bivelio_server.documents.views import LINKS
from bivelio_server.kit.context import Services
from bivelio_server.kit.downloads import Download, Downloads
from bivelio_server.kit.links import Linked
from bivelio_server.kit.storage import StoredFile

PATH: Final = LINKS.path


def downloads(services: Services) -> Downloads:
    return Downloads(services, LINKS, "documents.download", _find)


async def _find(services: Services, linked: Linked) -> Download | None:
    async with services.database.transaction_opened_by(linked.opening) as session:
        found = await queries.file_to_send(session, linked.key)
    if found is None:
        return None
    file = StoredFile.from_json(found.file)
    pieces = partial(services.storage.open, file.key)
    return Download(found.filename, found.mime_type, file.bytes, pieces, tag=f'"{file.sha256}"')
