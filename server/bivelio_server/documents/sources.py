"""The file that an operation is about: a stored document, or whatever stands at an address."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from bivelio_server.documents import queries
from bivelio_server.documents.source_schemas import Source, SourceInput
from bivelio_server.documents.views import LINKS
from bivelio_server.kit.context import Context, OutgoingCall, Services
from bivelio_server.kit.errors import APIError, Impossible, NotFound, Problem, ValidationFailed
from bivelio_server.kit.http import AddressRefused, OutgoingError, UrlInvalid, check_url
from bivelio_server.kit.storage import FileMissing, StorageKey, StoredFile, fetch
from bivelio_server.kit.text import Text
from bivelio_server.reading.port import Limits, Reading, Tell, Unreadable, to_nobody
from bivelio_server.reading.turns import Turns
from bivelio_server.settings import Settings

_FETCH_SECONDS: Final = 60.0
_REDIRECTS: Final = 3
_MAX_NAME: Final = 255
#: What a page whose characters are recognised may take, by the clock; half a minute where much else goes on.
_PAGE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Urgency:
    """How long a reading waits for its turn, and whether it may take as long as its pages need."""

    wait_seconds: float | None
    may_last: bool


#: Of what somebody waits for, and of what is read meanwhile.
AWAITED: Final = Urgency(wait_seconds=60, may_last=False)
BACKGROUND: Final = Urgency(wait_seconds=None, may_last=True)


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
    org_id = str(call.caller.org_id)
    async with _fetches(call.services.settings.readers).place(org_id, AWAITED.wait_seconds):
        content = await _fetched(call, source.url)
        async with _turns(call.services.settings.readers).place((org_id, AWAITED), AWAITED.wait_seconds):
            return await _read(call.services, content, source.filename, source.field, AWAITED)


async def read_stored(
    services: Services,
    file: Mapping[str, Any],
    filename: str | None,
    field: str,
    urgency: Urgency = AWAITED,
    tell: Tell = to_nobody,
) -> Reading:
    """Raises NotFound and Impossible, which name the input `field`; Unavailable where it cannot wait any longer."""
    async with turn(services, file, urgency):
        return await read_in_turn(services, file, filename, field, urgency, tell)


def turn(services: Services, file: Mapping[str, Any], urgency: Urgency) -> AbstractAsyncContextManager[None]:
    """Has the turn of a stored file to be read. Raises Unavailable."""
    return _turns(services.settings.readers).place(_holder(file, urgency), urgency.wait_seconds)


async def read_in_turn(
    services: Services, file: Mapping[str, Any], filename: str | None, field: str, urgency: Urgency, tell: Tell
) -> Reading:
    """As `read_stored`, by who has the turn."""
    try:
        content = await fetch(services.storage, StoredFile.from_json(dict(file)))
    except FileMissing:
        raise NotFound(field) from None
    return await _read(services, content, filename, field, urgency, tell)


def waiting(services: Services, file: Mapping[str, Any], urgency: Urgency) -> int:
    """How many files of the organisation that has this one wait for their turn in this process."""
    return _turns(services.settings.readers).waiting(_holder(file, urgency))


@cache
def _turns(readers: int) -> Turns:
    """Those of the process."""
    return Turns(readers)


@cache
def _fetches(readers: int) -> Turns:
    """What stands at an address may come slowly: nobody's reading waits for that."""
    return Turns(2 * readers)


def _holder(file: Mapping[str, Any], urgency: Urgency) -> tuple[str, Urgency]:
    """Its organisation; what it waits for has another turn than what it has read meanwhile."""
    return StorageKey(file["key"]).org_id, urgency


async def _read(
    services: Services, content: bytes, filename: str | None, field: str, urgency: Urgency, tell: Tell = to_nobody
) -> Reading:
    try:
        return await services.reader.read(
            content, filename=filename, limits=_limits(services.settings, urgency), tell=tell
        )
    except Unreadable as error:
        is_hasty = error.constraint == "max_seconds" and not urgency.may_last
        raise Impossible(Problem(field, error.constraint, _TOO_SLOW if is_hasty else error.text)) from None


def _limits(settings: Settings, urgency: Urgency) -> Limits:
    if not urgency.may_last:
        return Limits(bytes=settings.document_bytes)
    return Limits(bytes=settings.document_bytes, page_seconds=_PAGE_SECONDS, most_seconds=settings.reading_seconds)


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


_TOO_SLOW: Final = Text(
    "Leer el archivo lleva demasiado tiempo. Si tiene muchas páginas escaneadas, súbelo con 'auto_extract': se lee en"
    " segundo plano.",
    "Reading the file takes too long. If it has many scanned pages, upload it with 'auto_extract': it is read in the"
    " background.",
)
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
