"""`/api/public/v1/…`: the public API of boxes, with keys, limits, errors and names of its own."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from bivelio_server.boxes.public import queries
from bivelio_server.boxes.public.admission import PublicAdmission
from bivelio_server.boxes.public.rendering import BoxClosed, NoSuchPath, render
from bivelio_server.boxes.public.retrieval_schemas import (
    DocumentsUsed,
    FullDocuments,
    KeyChecked,
    Retrieved,
    RetrievedAnswer,
    RetrievedChunk,
    RetrievedFullDocument,
    RetrieveDocuments,
    RetrieveFullDocuments,
    UnitsUsed,
)
from bivelio_server.boxes.retrieval import searching
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.boxes.units import PER_SEARCH, require_unit, spend_unit
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.door import json_response, method_not_allowed, read_json
from bivelio_server.kit.errors import InsufficientScope, NotFound, Problem, ValidationFailed
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text, negotiate_language
from bivelio_server.kit.validation import validation_failed

InputT = TypeVar("InputT", bound=Input)

MOUNTED_AT: Final = "/api/public"
VERSION_PATH: Final = f"{MOUNTED_AT}/v1"
CHECK: Final = "public.check"
RETRIEVE: Final = "public.retrieve_documents"
RETRIEVE_FULL: Final = "public.retrieve_full_documents"
#: Questions are short, and so are lists of ids.
MOST_BYTES: Final = 64 * 1024
MOST_TEXT_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a key that works, for a box or for none."""

    request: Request
    caller: Caller
    box_id: str


class PublicAPI:
    """The ASGI application. The middleware around all requests renders what it raises."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._admission = PublicAdmission(services)
        self._endpoints: tuple[tuple[re.Pattern[str], str, str, Callable[[Asked], Awaitable[Output]]], ...] = (
            (re.compile(f"{VERSION_PATH}/check"), "GET", CHECK, self._check),
            (re.compile(f"{VERSION_PATH}/boxes/([^/]+)/retrieve-documents"), "POST", RETRIEVE, self._retrieve),
            (re.compile(f"{VERSION_PATH}/boxes/([^/]+)/retrieve-full-documents"), "POST", RETRIEVE_FULL, self._full),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        request.state.refuse = render
        found = self._found(request.scope["path"])
        if found is not None:
            _, request.state.operation, *_ = found
        caller = await self._admission.admit(request)
        if found is None:
            raise NoSuchPath(Problem("path", "one_of", _NO_SUCH_PATH))
        method, _, answer, box_id = found
        allowed = ("GET", "HEAD") if method == "GET" else (method,)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join((*allowed, "OPTIONS"))})
        if request.method not in allowed:
            raise method_not_allowed(request.method, method)
        output = await answer(Asked(request, caller, box_id))
        return json_response({"success": True, "data": output.model_dump(by_alias=True)})

    def _found(self, path: str) -> tuple[str, str, Callable[[Asked], Awaitable[Output]], str] | None:
        """Method, name and handler of what the path names, and the box in it."""
        for pattern, method, name, answer in self._endpoints:
            if match := pattern.fullmatch(path):
                return method, name, answer, "".join(match.groups())
        return None

    async def _check(self, asked: Asked) -> KeyChecked:
        language = negotiate_language(asked.request.headers.get("accept-language"), "en")
        return KeyChecked(message=_WORKS.in_language(language))

    async def _retrieve(self, asked: Asked) -> Retrieved:
        """The embedding is computed between two transactions; the second looks at the box again, and spends the unit
        with the answer or not at all."""
        data = await _read(asked.request, RetrieveDocuments)
        question = searching.Question(data.query, data.sources, data.top_k, data.min_score, data.neighbours)
        with _closed():
            async with self._transaction(asked) as context:
                prepared = await searching.prepare(context, asked.box_id, BoxRole.admin)
                await require_unit(context)
            vector = await searching.embed(self._services, asked.caller, prepared, data.query)
            async with self._transaction(asked) as context:
                found = await searching.search(context, prepared, vector, question)
                retrieved = _retrieved(data.query, found)
                await spend_unit(context)
        return retrieved

    async def _full(self, asked: Asked) -> FullDocuments:
        data = await _read(asked.request, RetrieveFullDocuments)
        with _closed():
            async with self._transaction(asked) as context:
                await searching.prepare(context, asked.box_id, BoxRole.admin)
                await _require_room(context, asked.box_id, data.sources)
                found = await searching.full_documents(context, asked.box_id, BoxRole.admin, data.sources)
        return _full_documents(data.sources, found)

    def _transaction(self, asked: Asked) -> AbstractAsyncContextManager[Context]:
        state = asked.request.state
        origin = Origin(Door.http, state.request_id, state.admitted.address)
        return transaction(asked.caller, self._services, origin)


def public_mount(services: Services) -> Mount:
    """Of every path below its address, also of those with a line end in them, which a Mount leaves out by itself."""
    mount = Mount(MOUNTED_AT, PublicAPI(services))
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return mount


@contextmanager
def _closed() -> Iterator[None]:
    """Makes one refusal of the several that would tell which boxes there are."""
    try:
        yield
    except (NotFound, InsufficientScope):
        raise BoxClosed from None


async def _require_room(context: Context, box_id: str, sources: Sequence[str]) -> None:
    """The reply is made in memory. Raises ValidationFailed."""
    size = await queries.text_bytes(context, box_id, sources)
    if size > MOST_TEXT_BYTES:
        raise ValidationFailed(Problem("sources", "maximum", _TOO_MUCH_TEXT.format(bytes=size)))


async def _read(request: Request, model: type[InputT]) -> InputT:
    """Raises ValidationFailed."""
    body = await read_json(request, MOST_BYTES)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise validation_failed(error, whole="body") from None


def _retrieved(query: str, found: Sequence[searching.Found]) -> Retrieved:
    chunks = [RetrievedChunk.model_validate(chunk, from_attributes=True) for chunk in found]
    return Retrieved(
        documents=[RetrievedAnswer(query=query, documents=chunks)],
        usage=UnitsUsed(intelligence_units_consumed=PER_SEARCH),
    )


def _full_documents(sources: Sequence[str], found: Sequence[searching.FullDocument]) -> FullDocuments:
    """In the order of the sources."""
    known = {document.file_id: document for document in found}
    documents = [
        RetrievedFullDocument.model_validate(known[source], from_attributes=True)
        for source in sources
        if source in known
    ]
    return FullDocuments(
        documents=documents,
        missing=[source for source in sources if source not in known],
        usage=DocumentsUsed(
            intelligence_units_consumed=0,
            documents_retrieved=len(documents),
            total_pages=sum(len(document.pages) for document in documents),
        ),
    )


_TOO_MUCH_TEXT: Final = Text(
    f"Los ficheros de 'sources' suman {{bytes}} bytes de texto y una respuesta lleva {MOST_TEXT_BYTES}: pide menos.",
    f"The files of 'sources' hold {{bytes}} bytes of text, and a reply {MOST_TEXT_BYTES} at most: ask for fewer.",
)
_WORKS: Final = Text("La clave de API funciona.", "The API key works.")
_NO_SUCH_PATH: Final = Text(
    "Esta dirección no existe; hay check, boxes/{box}/retrieve-documents y boxes/{box}/retrieve-full-documents.",
    "There is no such path; there are check, boxes/{box}/retrieve-documents and boxes/{box}/retrieve-full-documents.",
)
