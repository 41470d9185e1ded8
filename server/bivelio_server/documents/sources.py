"""The file that an operation is about: a stored document, or whatever stands at an address."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import Field

from bivelio_server.documents import queries
from bivelio_server.documents.views import LINKS
from bivelio_server.kit.context import Context, OutgoingCall, Services
from bivelio_server.kit.errors import APIError, Impossible, NotFound, Problem, ValidationFailed
from bivelio_server.kit.http import AddressRefused, OutgoingError, UrlInvalid, check_url
from bivelio_server.kit.models import Id, Input, Output
from bivelio_server.kit.room import Room
from bivelio_server.kit.storage import FileMissing, StoredFile, fetch
from bivelio_server.kit.text import Text
from bivelio_server.reading.port import Limits, Reading, Unreadable

_FETCH_SECONDS: Final = 60.0
_REDIRECTS: Final = 3
_MAX_NAME: Final = 255
#: As many documents are in the memory of a process at once, the next ones wait: of those that somebody waits for, and
#: of those that are read meanwhile.
_ROOM: Final = Room(places=4, wait_seconds=60)
BACKGROUND: Final = Room(places=2, wait_seconds=600)


class SourceInput(Input):
    """Which file: `document_url` or `document_id`."""

    document_url: str | None = Field(
        None, min_length=1, max_length=2000, examples=["https://storage.example.com/docs/factura_2026_001.pdf"]
    )
    document_id: Id | None = Field(None, description="One that was uploaded, instead of `document_url`.")


class Source(Output):
    """The file as an operation found it; it may be stored, so what the file holds is fetched when it is needed.

    `field` is the input that named it, `file` where it is stored, `url` where else it stands.
    """

    field: str
    document_id: str | None
    filename: str | None
    file: dict[str, Any] | None
    url: str | None


async def find(context: Context, data: SourceInput) -> Source:
    """Raises ValidationFailed, NotFound, Impossible."""
    if (data.document_url is None) == (data.document_id is None):
        raise ValidationFailed(Problem("document_url", "one_of", _ONE_OF))
    if data.document_id is not None:
        return await _stored(context, data.document_id, "document_id")
    assert data.document_url is not None
    token = LINKS.token_in(context.services, data.document_url)
    if token is not None:
        return await _stored(context, _linked(context, token), "document_url")
    try:
        check_url(data.document_url, context.services.settings.private_networks)
    except OutgoingError as error:
        raise _unreachable(error) from None
    name = unquote(urlsplit(data.document_url).path.rpartition("/")[2])[:_MAX_NAME]
    return Source(field="document_url", document_id=None, filename=name or None, file=None, url=data.document_url)


def shown_url(source: Source) -> str | None:
    """The address without what may be a secret in it."""
    if source.url is None:
        return None
    parts = urlsplit(source.url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


async def read(call: OutgoingCall, source: Source) -> Reading:
    """Raises NotFound, Impossible: every one names the input that is to blame; Unavailable."""
    if source.file is not None:
        return await read_stored(call.services, source.file, source.filename, source.field)
    assert source.url is not None
    async with _ROOM.place():
        return await _read(call.services, await _fetched(call, source.url), source.filename, source.field)


async def read_stored(
    services: Services, file: Mapping[str, Any], filename: str | None, field: str, room: Room = _ROOM
) -> Reading:
    """Raises NotFound and Impossible, which name the input `field`; Unavailable."""
    async with room.place():
        try:
            content = await fetch(services.storage, StoredFile.from_json(dict(file)))
        except FileMissing:
            raise NotFound(field) from None
        return await _read(services, content, filename, field)


async def _read(services: Services, content: bytes, filename: str | None, field: str) -> Reading:
    try:
        return await services.reader.read(
            content, filename=filename, limits=Limits(bytes=services.settings.document_bytes)
        )
    except Unreadable as error:
        raise Impossible(Problem(field, error.constraint, error.text)) from None


async def _stored(context: Context, document_id: str, field: str) -> Source:
    row = await queries.get(context, document_id, field=field)
    return Source(field=field, document_id=row.id, filename=row.filename, file=row.file, url=None)


def _linked(context: Context, token: str) -> str:
    """The document that one of our own addresses leads to, if it is the caller's."""
    try:
        linked = LINKS.open(context.services, token)
    except NotFound:
        raise NotFound("document_url") from None
    if (linked.org_id, linked.environment) != (context.caller.org_id, context.caller.environment):
        raise NotFound("document_url")
    return linked.file_id


async def _fetched(call: OutgoingCall, url: str) -> bytes:
    most = call.services.settings.document_bytes
    try:
        reply = await call.http.request(
            "GET", url, timeout=_FETCH_SECONDS, max_response_bytes=most, follow_redirects=_REDIRECTS,
            provider="document",
        )  # fmt: skip
    except OutgoingError as error:
        raise _unreachable(error) from None
    if reply.status != 200:
        raise Impossible(Problem("document_url", "reachable", _STATUS.format(status=reply.status)))
    if reply.truncated:
        raise Impossible(Problem("document_url", "max_bytes", _TOO_LARGE.format(bytes=most)))
    return reply.body


def _unreachable(error: OutgoingError) -> APIError:
    if isinstance(error, UrlInvalid):
        return Impossible(Problem("document_url", "url", _NO_URL))
    if isinstance(error, AddressRefused):
        return Impossible(Problem("document_url", "public_address", _NOT_PUBLIC))
    return Impossible(Problem("document_url", "reachable", _UNREACHABLE.format(code=error.code)))


_ONE_OF: Final = Text(
    "Indica 'document_url' o 'document_id', uno de los dos.", "Give 'document_url' or 'document_id', one of the two."
)
_NO_URL: Final = Text(
    "El campo 'document_url' debe ser una dirección http o https.",
    "The field 'document_url' must be an http or https address.",
)
_NOT_PUBLIC: Final = Text(
    "El campo 'document_url' no lleva a una dirección pública: sube el documento y usa 'document_id'.",
    "The field 'document_url' does not lead to a public address: upload the document and use 'document_id'.",
)
_UNREACHABLE: Final = Text(
    "No se ha podido descargar 'document_url' ({code}).", "What 'document_url' names could not be fetched ({code})."
)
_STATUS: Final = Text(
    "'document_url' ha respondido {status} en vez del documento.",
    "'document_url' answered {status} instead of the document.",
)
_TOO_LARGE: Final = Text(
    "El documento de 'document_url' supera los {bytes} bytes.",
    "The document at 'document_url' is larger than {bytes} bytes.",
)
