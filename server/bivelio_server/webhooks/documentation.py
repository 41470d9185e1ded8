"""The messages that endpoints receive, for the `webhooks` section of the OpenAPI document."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from bivelio_server.events.definitions import EventCatalogue, EventDefinition

_HEADERS: Final = {
    "webhook-id": "Names the message: the same in every attempt.",
    "webhook-timestamp": "When the attempt was made, in seconds since 1970.",
    "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`, as Standard Webhooks has it; two of"
    " them, separated by a space, while a secret is being rotated.",
    "X-BiVelio-Event": "The event's name.",
    "X-BiVelio-Signature": "The HMAC-SHA256 of the body in hexadecimal, keyed with the whole signing secret.",
}
#: Only while the grace of a rotation lasts: then the header above keeps the old secret.
_WHILE_ROTATING: Final = {"X-BiVelio-Signature-New": "As `X-BiVelio-Signature`, keyed with the new signing secret."}
_ANSWER: Final = "Taken. Any other status, a redirect too, is a failed attempt; 410 disables the endpoint at once."


def event_models(events: EventCatalogue) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    return [(event.data, "serialization") for event in events]


def event_webhooks(events: EventCatalogue, refs: dict[Any, Any]) -> dict[str, Any]:
    return {event.name: {"post": _message(event, refs)} for event in events}


def _message(event: EventDefinition, refs: dict[Any, Any]) -> dict[str, Any]:
    body = {
        "type": "object",
        "properties": {
            "event": {"const": event.name},
            "timestamp": {"type": "string", "format": "date-time"},
            "webhook_id": {"type": "string", "description": "The endpoint."},
            "data": refs[event.data, "serialization"],
        },
        "required": ["event", "timestamp", "webhook_id", "data"],
    }
    return {
        "operationId": event.name,
        "tags": ["events"],
        "summary": event.summary.en,
        "description": event.summary.es + ".",
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": name in _HEADERS,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in {**_HEADERS, **_WHILE_ROTATING}.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": _ANSWER}},
    }
