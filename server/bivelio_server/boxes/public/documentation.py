"""How the OpenAPI document tells of the public API, which has a key, errors and limits of its own and no versions."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bivelio_server.boxes.public.endpoint import CHECK, RETRIEVE, RETRIEVE_FULL, VERSION_PATH
from bivelio_server.boxes.public.rendering import KINDS, LIMITS, PARAMETERS, PERMISSIONS, QUOTA, UNKNOWN, Kind
from bivelio_server.boxes.public.retrieval_schemas import (
    FullDocuments,
    KeyChecked,
    Retrieved,
    RetrieveDocuments,
    RetrieveFullDocuments,
)
from bivelio_server.kit.models import Output

_SCHEME: Final = "BoxKey"
PUBLIC_SECURITY_SCHEMES: Final[dict[str, Any]] = {
    _SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "bbfe_[prefix]_[secret]"}
}


class PublicError(Output):
    """`cause` says what is wrong, and names the field if it is one."""

    code: str = Field(json_schema_extra={"enum": [kind.code for kind in KINDS]})
    category: str = Field(json_schema_extra={"enum": [kind.category for kind in KINDS]})
    summary: str
    cause: str


class PublicErrorReply(Output):
    model_config = ConfigDict(title="PublicErrorReply")

    success: Literal[False]
    error: PublicError


PUBLIC_MODELS: Final[list[tuple[type[BaseModel], Literal["validation", "serialization"]]]] = [
    (RetrieveDocuments, "validation"),
    (RetrieveFullDocuments, "validation"),
    *((model, "serialization") for model in (KeyChecked, Retrieved, FullDocuments, PublicErrorReply)),
]
_ALWAYS: Final[dict[str, Kind]] = {
    "401": PERMISSIONS, "403": PERMISSIONS, "405": PARAMETERS, "429": LIMITS, "500": UNKNOWN, "503": UNKNOWN,
}  # fmt: skip
_OF_BOXES: Final[dict[str, Kind]] = {**_ALWAYS, **dict.fromkeys(("400", "404", "413", "415"), PARAMETERS)}
_HEADERS: Final = {
    "X-RateLimit-Hits": "Requests of the key in its present window of 60 seconds.",
    "X-RateLimit-Remaining-Key": "How many more the key may send in it.",
    "X-RateLimit-Remaining-User": "How many more the key's user may send in the present window of 24 hours.",
    "X-RateLimit-Reset-Key": "When the key's window ends, in seconds since 1970.",
    "X-RateLimit-Reset-User": "When the user's window ends, in seconds since 1970.",
}
_BOX: Final = {"name": "box", "in": "path", "required": True, "schema": {"type": "string"}}


def public_paths(refs: dict[Any, Any]) -> dict[str, Any]:
    found, whole = refs[Retrieved, "serialization"], refs[FullDocuments, "serialization"]
    return {
        f"{VERSION_PATH}/check": {
            "get": {
                **_endpoint(CHECK, "Whether a key works", "Comprueba una clave."),
                "responses": _responses(refs, refs[KeyChecked, "serialization"], _ALWAYS),
            }
        },
        f"{VERSION_PATH}/boxes/{{box}}/retrieve-documents": {
            "post": {
                **_endpoint(RETRIEVE, "Search a box", "Busca en una caja. One intelligence unit."),
                **_asking(refs, RetrieveDocuments),
                "responses": _responses(refs, found, {**_OF_BOXES, "402": QUOTA}),
            }
        },
        f"{VERSION_PATH}/boxes/{{box}}/retrieve-full-documents": {
            "post": {
                **_endpoint(RETRIEVE_FULL, "Read whole files of a box", "Lee ficheros enteros de una caja. Free."),
                **_asking(refs, RetrieveFullDocuments),
                "responses": _responses(refs, whole, _OF_BOXES),
            }
        },
    }


def _endpoint(name: str, summary: str, description: str) -> dict[str, Any]:
    return {
        "operationId": name, "tags": ["public"], "summary": summary, "description": description,
        "security": [{_SCHEME: []}],
    }  # fmt: skip


def _asking(refs: dict[Any, Any], model: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": refs[model, "validation"]}}
    return {"parameters": [_BOX], "requestBody": {"required": True, "content": content}}


def _responses(refs: dict[Any, Any], data: dict[str, Any], refusals: dict[str, Kind]) -> dict[str, Any]:
    success = {
        "type": "object",
        "properties": {"success": {"const": True}, "data": data},
        "required": ["success", "data"],
    }
    error = refs[PublicErrorReply, "serialization"]
    return {
        "200": _reply("The answer.", success),
        **{status: _reply(refusals[status].code, error) for status in sorted(refusals)},
    }


def _reply(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    headers = {name: {"description": text, "schema": {"type": "integer"}} for name, text in _HEADERS.items()}
    return {"description": description, "headers": headers, "content": {"application/json": {"schema": schema}}}
