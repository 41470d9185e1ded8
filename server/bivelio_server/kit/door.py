"""The HTTP door: `POST <path>` with `{"action": …, "data": {…}}` for every operation of the catalogue."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from email.message import Message
from functools import partial
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bivelio_server.kit import idempotency, json
from bivelio_server.kit.admission import Admitted
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import (
    APIError,
    BodyTooLarge,
    InsufficientScope,
    MethodNotAllowed,
    NotFound,
    Problem,
    UnsupportedMediaType,
    ValidationFailed,
)
from bivelio_server.kit.event_stream import LAST_EVENT_ID, EventStream
from bivelio_server.kit.execution import Call, execute
from bivelio_server.kit.idempotency import Claim, Replayed
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import Operation, Who
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.room import ARRIVAL_SECONDS, Room
from bivelio_server.kit.streaming import RESULT, Stream, StreamEvent
from bivelio_server.kit.text import Language, Text, negotiate_language
from bivelio_server.kit.uploads import MULTIPART, Upload, read_parts
from bivelio_server.kit.validation import MAX_PROBLEMS, validation_failed
from bivelio_server.kit.versions import HEADER, Versions


class OperationsDoor:
    """The ASGI application below `/v1`, behind admission."""

    def __init__(self, services: Services, room: Room | None = None) -> None:
        self._services = services
        self._room = room or Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> ASGIApp:
        operation = self._operation(request)
        request.state.operation = operation.name
        admitted: Admitted = request.state.admitted
        caller = admitted.require_caller()
        require_permission(operation, caller)
        max_bytes = self._max_bytes(operation, request)
        async with self._place(max_bytes):
            return await self._perform(operation, request, caller, max_bytes)

    async def _perform(self, operation: Operation, request: Request, caller: Caller, max_bytes: int) -> ASGIApp:
        versions = self._services.catalogue.versions
        version: str = request.state.api_version
        key = _idempotency_key(request, operation)
        body = await _read(operation, request, max_bytes)
        data = read_envelope(operation, body, versions, version)
        origin = Origin(Door.http, request.state.request_id, request.state.admitted.address, version)
        shown = partial(_success, operation, versions, version)
        asked = [version, _data(body), caller.actor if operation.is_personal else None]
        claim = _claim(request, operation, key, asked, shown) if key else None
        try:
            output = await execute(Call(operation, caller, data, self._services, origin, claim=claim, follows=True))
        except Replayed as stored:
            request.state.replayed = True
            if stored.status >= 400:
                request.state.error_code = json.loads_trusted(stored.body)["error"]["code"]
            return Response(stored.body, stored.status, _REPLAYED, media_type="application/json")
        if isinstance(output, Stream):
            return _stream(operation, request, output, partial(_event, operation, versions, version))
        return json_response(shown(output))

    def _max_bytes(self, operation: Operation, request: Request) -> int:
        """What the body may take: more than the usual only where the operation allows it and the request declares it,
        or declares nothing."""
        usual, declared = self._services.settings.max_body_bytes, request.headers.get("content-length", "")
        most = operation.max_body_bytes or usual
        return min(most, usual) if declared.isdigit() and int(declared) <= usual else most

    def _place(self, max_bytes: int) -> AbstractAsyncContextManager[None]:
        """Where a request with such a body may be read and worked on."""
        return self._room.place() if max_bytes > self._services.settings.max_body_bytes else nullcontext()

    def _operation(self, request: Request) -> Operation:
        operation = self._services.catalogue.at(request.scope["path"])
        if operation is None or Door.http not in operation.doors:
            raise NotFound
        if request.method != "POST":
            raise method_not_allowed(request.method)
        return operation


async def _read(operation: Operation, request: Request, max_bytes: int) -> json.JSONValue:
    if issubclass(operation.input, Upload) and _declares(request, MULTIPART):
        return await read_parts(request.headers, await read_body(request, max_bytes))
    return await read_json(request, max_bytes)


def _success(operation: Operation, versions: Versions, version: str, output: Output) -> dict[str, Any]:
    return {"success": True, "data": versions.output_data(version, operation.name, output.model_dump())}


def _event(operation: Operation, versions: Versions, version: str, event: StreamEvent) -> dict[str, Any]:
    """The `data` of an event; what a version changed in it is declared for `<operation>#<event>`.

    A `result` is the output of the operation itself.
    """
    if event.name == RESULT and isinstance(event.data, operation.output):
        return versions.output_data(version, operation.name, event.data.model_dump())
    return versions.output_data(version, f"{operation.name}#{event.name}", event.data.model_dump())


def _stream(
    operation: Operation, request: Request, stream: Stream, shown: Callable[[StreamEvent], dict[str, Any]]
) -> EventStream:
    """The reply that goes on, as long as who asked for it might ask again."""
    request.state.streams = True
    admitted: Admitted = request.state.admitted
    if admitted.credentials is not None:
        stream.place.guard(admitted.credentials, partial(require_permission, operation))
    language = negotiate_language(request.headers.get("accept-language"))
    return EventStream(stream, last_event_id=request.headers.get(LAST_EVENT_ID), shown=shown, language=language)


def _idempotency_key(request: Request, operation: Operation) -> str | None:
    """Raises ValidationFailed. What only reads takes no notice of it."""
    key = request.headers.get(idempotency.HEADER)
    return None if key is None or not operation.writes else idempotency.require_acceptable(key)


def _data(body: json.JSONValue) -> json.JSONValue:
    return body.get("data", {}) if isinstance(body, dict) else {}


def _claim(
    request: Request,
    operation: Operation,
    key: str,
    asked: json.JSONValue,
    shown: Callable[[Output], dict[str, Any]],
) -> Claim:
    """The key with what was `asked`: the same data in another version, or by another person, is another request."""
    language = negotiate_language(request.headers.get("accept-language"))
    return Claim(
        operation,
        key,
        idempotency.digest_of(asked),
        render=lambda output: json.dumps(shown(output)),
        render_refusal=lambda error: json.dumps(failure(error, language)),
    )


def failure(error: APIError, language: Language) -> dict[str, Any]:
    """The body of a refusal."""
    return {"success": False, "error": error.render(language)}


def announce_version(request: Request, versions: Versions) -> None:
    """The version that the reply names until the request's own is chosen."""
    request.state.api_version = versions.or_newest(request.headers.get(HEADER))


def choose_version(request: Request, versions: Versions, pinned: str | None) -> None:
    """Fix the version that answers this request and that its reply names. Raises ValidationFailed."""
    request.state.api_version = versions.chosen(request.headers.get(HEADER), pinned)


def json_response(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(content), status, headers, media_type="application/json")


def insufficient_scope(operation: Operation) -> InsufficientScope:
    text = Text("La operación {name} requiere el permiso {scope}.", "The operation {name} requires the scope {scope}.")
    return InsufficientScope(
        text.format(name=operation.name, scope=operation.scope.value),
        details={"required_scope": operation.scope.value},
    )


def require_permission(operation: Operation, caller: Caller) -> None:
    """Raises InsufficientScope. Whether a person is the owner is for the operation to see, in its transaction."""
    if not caller.may(operation.scope, operation.resource):
        raise insufficient_scope(operation)
    if operation.who is not Who.anyone and not caller.is_person:
        raise InsufficientScope(_PERSONS_ONLY, details={"required": "person"})
    if operation.live_only and caller.environment is not Environment.live:
        raise InsufficientScope(_LIVE_ONLY, details={"required": "live"})


def method_not_allowed(method: str, allow: str = "POST") -> MethodNotAllowed:
    text = Text(
        f"El método {method} no está permitido aquí; usa {allow}.",
        f"The method {method} is not allowed here; use {allow}.",
    )
    refusal = MethodNotAllowed(Problem("method", "method", text))
    refusal.allow = allow
    return refusal


async def read_json(request: Request, max_bytes: int) -> json.JSONValue:
    """The body as JSON; an empty body is an empty object. Raises ValidationFailed (400, 413, 415)."""
    body = await read_body(request, max_bytes)
    if not body:
        return {}
    if not _declares_json(request.headers.get("content-type", "")):
        raise UnsupportedMediaType(Problem("Content-Type", "application/json", _MEDIA_TYPE))
    try:
        return json.loads(body)
    except json.InvalidJSON as error:
        raise ValidationFailed(Problem("body", "json", error.reason)) from None


def _declares(request: Request, media_type: str) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == media_type


def _declares_json(content_type: str) -> bool:
    header = Message()
    header["Content-Type"] = content_type
    return header.get_content_type() == "application/json" and header.get_content_charset("utf-8") in _CHARSETS


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Raises ValidationFailed when it does not arrive, BodyTooLarge."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                chunks.append(chunk)
    except (ClientDisconnect, TimeoutError):
        raise ValidationFailed(Problem("body", "complete", _INCOMPLETE)) from None
    return b"".join(chunks)


def read_envelope(operation: Operation, body: json.JSONValue, versions: Versions, version: str) -> Input:
    """The operation's input out of the envelope of a caller of `version`. Raises ValidationFailed."""
    if not isinstance(body, dict):
        raise ValidationFailed(Problem("body", "object", _NOT_AN_OBJECT))
    unknown = [name for name in body if name not in ("action", "data")]
    if unknown:
        raise ValidationFailed([Problem(name[:100], "unknown_field", _unknown_member(name)) for name in unknown[:20]])
    if body.get("action", operation.action) != operation.action:
        raise ValidationFailed(Problem("action", "one_of", _wrong_action(operation)))
    data = versions.input_data(version, operation.name, body.get("data", {}))
    try:
        return operation.input.model_validate(_bounded(operation, data))
    except ValidationError as error:
        raise validation_failed(error) from None


def _bounded(operation: Operation, data: json.JSONValue) -> json.JSONValue:
    """The data without most of its unknown fields when they are very many: describing each takes seconds."""
    if not isinstance(data, dict) or len(data) <= len(operation.input.model_fields) + MAX_PROBLEMS:
        return data
    known = {field.alias or name for name, field in operation.input.model_fields.items()}
    unknown = (name for name in data if name not in known)
    return {name: data[name] for name in [*known.intersection(data), *islice(unknown, MAX_PROBLEMS)]}


def _unknown_member(name: str) -> Text:
    text = Text(
        'El campo \'{name}\' no existe; el cuerpo es {{"action", "data"}}.',
        'The field \'{name}\' does not exist; the body is {{"action", "data"}}.',
    )
    return text.format(name=name[:100])


def _wrong_action(operation: Operation) -> Text:
    text = Text("El campo 'action' debe ser '{action}' en {path}.", "The field 'action' must be '{action}' at {path}.")
    return text.format(action=operation.action, path=operation.path)


def _too_large(max_bytes: int) -> BodyTooLarge:
    text = Text(f"El cuerpo supera los {max_bytes} bytes.", f"The body is larger than {max_bytes} bytes.")
    return BodyTooLarge(Problem("body", "max_length", text))


_REPLAYED: Final = {"Idempotent-Replayed": "true"}
_PERSONS_ONLY: Final = Text(
    "Esta operación requiere que inicies sesión; una clave de API no puede hacerla.",
    "This operation requires that you sign in; an API key cannot perform it.",
)
_LIVE_ONLY: Final = Text(
    "Una credencial de sandbox no puede cambiar la organización ni sus personas.",
    "A sandbox credential cannot change the organisation or its people.",
)
_CHARSETS: Final = ("utf-8", "utf8", "us-ascii")
_MEDIA_TYPE: Final = Text(
    "El cuerpo debe enviarse con Content-Type: application/json, en UTF-8.",
    "The body must be sent with Content-Type: application/json, in UTF-8.",
)
_INCOMPLETE: Final = Text("El cuerpo llegó incompleto.", "The body arrived incomplete.")
_NOT_AN_OBJECT: Final = Text("El cuerpo debe ser un objeto JSON.", "The body must be a JSON object.")
