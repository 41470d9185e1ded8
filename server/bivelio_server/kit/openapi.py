"""The OpenAPI 3.1 document, generated from the operations."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from bivelio_server.kit.errors import (
    APIError,
    BodyTooLarge,
    CredentialsExpired,
    InsufficientScope,
    InternalError,
    NotAuthenticated,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)
from bivelio_server.kit.event_stream import LAST_EVENT_ID, MEDIA_TYPE
from bivelio_server.kit.idempotency import HEADER, KeyInFlight, KeyOfAnotherRequest
from bivelio_server.kit.models import Output
from bivelio_server.kit.operations import Catalogue, Effect, Operation, Who
from bivelio_server.kit.origin import Door
from bivelio_server.kit.streaming import RESULT, Reconnect, Streaming
from bivelio_server.kit.uploads import MULTIPART, Upload
from bivelio_server.kit.versions import HEADER as VERSION_HEADER
from bivelio_server.kit.versions import VersionChange, Versions

_REF: Final = "#/components/schemas/{model}"
ALWAYS: Final[tuple[type[APIError], ...]] = (
    ValidationFailed, BodyTooLarge, UnsupportedMediaType, NotAuthenticated, CredentialsExpired, InsufficientScope,
    TooManyRequests, InternalError, Unavailable,
)  # fmt: skip
#: What any write can answer beside, since it takes an Idempotency-Key.
_OF_WRITES: Final[tuple[type[APIError], ...]] = (KeyInFlight, KeyOfAnotherRequest)
_VERSION_PARAMETER: Final = {"$ref": "#/components/parameters/ApiVersion"}
_VERSION_TOLD: Final = {"$ref": f"#/components/headers/{VERSION_HEADER}"}
_SECURITY: Final[list[dict[str, list[str]]]] = [{"ApiKey": []}, {"Bearer": []}]


class ErrorProblem(Output):
    field: str
    constraint: str
    message: str


class ErrorDetails(BaseModel):
    """The first problem, and under `errors` all of them; other members depend on the code."""

    field: str | None = None
    constraint: str | None = None
    errors: list[ErrorProblem] = []


class Error(BaseModel):
    code: str
    message: str
    details: ErrorDetails | None = None
    retry_after: int | None = None


class ErrorReply(Output):
    success: bool
    error: Error


def build_document(catalogue: Catalogue, *, version: str, address: str, extra: dict[str, Any]) -> dict[str, Any]:
    """The document; `extra` adds the `paths`, `webhooks` and `models` that are no operations, and `apart` the paths
    that have no versions, with the `security_schemes` of their own."""
    operations = [operation for operation in catalogue if Door.http in operation.doors]
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ErrorReply, "serialization"), *extra["models"]]
    for operation in operations:
        models += [(operation.input, "validation"), *((model, "serialization") for model in _answers(operation))]
    refs, definitions = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF)
    paths = {operation.path: {"post": _endpoint(operation, refs)} for operation in operations}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BiVelio API",
            "version": version,
            "license": {"name": "Apache-2.0"},
            **_versions(catalogue.versions),
        },
        "servers": [{"url": address}],
        "paths": {**_versioned({**paths, **extra["paths"](refs)}), **extra["apart"](refs)},
        "webhooks": extra["webhooks"](refs),
        "components": {
            "schemas": definitions.get("$defs", {}),
            "parameters": {**_PARAMETERS, "ApiVersion": _version_parameter(catalogue.versions)},
            "headers": {**_HEADERS, VERSION_HEADER: _version_header(catalogue.versions)},
            "securitySchemes": {
                "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "Bearer": {"type": "http", "scheme": "bearer"},
                **extra["security_schemes"],
            },
        },
        "security": _SECURITY,
    }


def _versions(versions: Versions) -> dict[str, Any]:
    """The versions of the API, which are not those of the server, and what each broke."""
    return {
        "x-api-version": versions.newest,
        "x-api-versions": [{"version": known.date, "summary": known.summary.en} for known in versions],
        "x-api-changes": [_change(change) for change in versions.changes],
    }


def _change(change: VersionChange) -> dict[str, Any]:
    return {
        "version": change.version,
        "operation": change.operation,
        "events": sorted(change.events),
        "summary": change.summary.en,
    }


def _version_parameter(versions: Versions) -> dict[str, Any]:
    return {
        "name": VERSION_HEADER,
        "in": "header",
        "required": False,
        "description": "The version of the API to answer in; by default the one that the key is pinned to.",
        "schema": _known_version(versions),
    }


def _version_header(versions: Versions) -> dict[str, Any]:
    return {"description": "The version of the API that answered.", "schema": _known_version(versions)}


def _known_version(versions: Versions) -> dict[str, Any]:
    return {"type": "string", "enum": [known.date for known in versions], "examples": [versions.newest]}


def _versioned(paths: dict[str, Any]) -> dict[str, Any]:
    """The paths, each of which takes a version and tells which one answered."""
    for methods in paths.values():
        for endpoint in methods.values():
            endpoint["parameters"] = [_VERSION_PARAMETER, *endpoint.get("parameters", [])]
            for told in endpoint["responses"].values():
                told["headers"] = {**told.get("headers", {}), VERSION_HEADER: _VERSION_TOLD}
    return paths


def _endpoint(operation: Operation, refs: dict[Any, Any]) -> dict[str, Any]:
    envelope = {
        "type": "object",
        "properties": {"action": {"const": operation.action}, "data": refs[operation.input, "validation"]},
        "additionalProperties": False,
    }
    if any(field.is_required() for field in operation.input.model_fields.values()):
        envelope["required"] = ["data"]
    always = [*ALWAYS, *_OF_WRITES] if operation.writes else ALWAYS
    return {
        "operationId": operation.name,
        "tags": [operation.resource],
        "summary": operation.summary.en,
        "description": _describe(operation),
        "parameters": _parameters(operation),
        "requestBody": {
            "required": "required" in envelope,
            "content": {"application/json": {"schema": envelope}, **_multipart(operation, envelope)},
        },
        "responses": {
            "200": _reply_of(operation, refs),
            **error_replies([*always, *operation.errors], refs),
        },
    }


def _answers(operation: Operation) -> Iterable[type[BaseModel]]:
    """The models of what it replies, whole or in events."""
    if operation.stream is None or not operation.stream.always:
        yield operation.output
    if operation.stream is not None:
        yield from _events(operation, operation.stream).values()
        yield from _LAST_EVENTS.values()


def _events(operation: Operation, stream: Streaming) -> dict[str, type[Output]]:
    """Its own, and of a call that is followed its output."""
    return {**stream.events, **({RESULT: operation.output} if operation.effect is Effect.external else {})}


def _reply_of(operation: Operation, refs: dict[Any, Any]) -> dict[str, Any]:
    if operation.stream is None:
        return reply("The operation's output.", _success(refs[operation.output, "serialization"]))
    events = {**_events(operation, operation.stream), **_LAST_EVENTS}
    streamed = {"itemSchema": {"oneOf": [_event(name, refs[model, "serialization"]) for name, model in events.items()]}}
    if operation.stream.always:
        return {**reply("A stream of events.", {}), "content": {MEDIA_TYPE: streamed}}
    whole = reply("The operation's output, or a stream of events.", _success(refs[operation.output, "serialization"]))
    return {**whole, "content": {**whole["content"], MEDIA_TYPE: streamed}}


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """A server-sent event, as OpenAPI 3.2 and those who read ahead describe it."""
    return {
        "type": "object",
        "properties": {
            "event": {"const": name},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
            "id": {"type": "string"},
        },
        "required": ["event", "data"],
    }


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    key = ["IdempotencyKey"] if operation.writes else []
    last = ["LastEventId"] if operation.stream is not None and operation.stream.always else []
    return [{"$ref": f"#/components/parameters/{name}"} for name in (*key, *last)]


def _multipart(operation: Operation, envelope: dict[str, Any]) -> dict[str, Any]:
    if not issubclass(operation.input, Upload):
        return {}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = {**envelope, "properties": {**envelope["properties"], "file": file}, "required": ["file"]}
    return {MULTIPART: {"schema": schema, "encoding": {"data": {"contentType": "application/json"}}}}


def _describe(operation: Operation) -> str:
    lines = [
        operation.summary.es + ".",
        f"Scope: `{operation.scope.value}`. Effect: `{operation.effect.value}`.",
    ]
    if operation.who is not Who.anyone:
        lines.append("By the owner, signed in." if operation.who is Who.owner else "By a person who has signed in.")
    if operation.live_only:
        lines.append("With live credentials.")
    if operation.irreversible:
        lines.append("Irreversible.")
    return "\n\n".join(lines)


def _success(output: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"success": {"const": True}, "data": output},
        "required": ["success", "data"],
    }


def error_replies(errors: Iterable[type[APIError]], refs: dict[Any, Any]) -> dict[str, Any]:
    """One reply per status, naming the codes that come with it."""
    codes: dict[int, set[str]] = {}
    for error in errors:
        codes.setdefault(error.status, set()).add(error.code)
    schema = refs[ErrorReply, "serialization"]
    return {str(status): reply(", ".join(sorted(codes[status])), schema) for status in sorted(codes)}


def reply(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A reply with its headers."""
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS},
        "content": {"application/json": {"schema": schema}},
    }


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "integer"}}


_HEADERS: Final = {
    "X-RateLimit-Limit": _header("Requests a minute; absent where there is no limit, as the next two."),
    "X-RateLimit-Remaining": _header("How many are left in this minute."),
    "X-RateLimit-Reset": _header("When the next minute begins, in seconds since 1970."),
}
_PARAMETERS: Final = {
    "IdempotencyKey": {
        "name": HEADER,
        "in": "header",
        "description": "A request repeated with the same key takes effect once; its reply is repeated for 24 hours.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    },
    "LastEventId": {
        "name": LAST_EVENT_ID,
        "in": "header",
        "description": "The last `id` seen of a stream that broke off: it goes on from there.",
        "schema": {"type": "string", "maxLength": 100},
    },
}
#: How a stream may end before its events do.
_LAST_EVENTS: Final[dict[str, type[BaseModel]]] = {"reconnect": Reconnect, "error": Error}
