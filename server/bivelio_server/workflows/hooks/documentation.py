"""How the OpenAPI document tells of the URLs of workflows, whose requests are whatever others send."""

from typing import Any, Final

from bivelio_server.kit.errors import (
    BodyTooLarge,
    InsufficientScope,
    InternalError,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)
from bivelio_server.kit.openapi import error_replies, reply
from bivelio_server.workflows.hooks.endpoint import OPERATION, PATH
from bivelio_server.workflows.hooks.schemas import Received

HOOK_MODELS: Final = [(Received, "serialization")]
_ERRORS: Final = (
    ValidationFailed, MethodNotAllowed, BodyTooLarge, UnsupportedMediaType, NotAuthenticated, InsufficientScope,
    NotFound, TooManyRequests, InternalError, Unavailable,
)  # fmt: skip
_DESCRIPTION: Final = (
    "Inicia un workflow desde otro sistema. The URL is what `workflows.get_hook` shows. The request proves the secret"
    " of `workflows.rotate_hook_secret`: as `Authorization: Bearer`, as the password of `Authorization: Basic`, as"
    " `X-BiVelio-Secret`, or by a signature of the body: Standard Webhooks, `Stripe-Signature`, `X-Hub-Signature-256`,"
    " `X-BiVelio-Signature`. A message that is sent again with the same `Idempotency-Key`, `webhook-id`, `svix-id` or"
    " `X-GitHub-Delivery` starts nothing; the reply names the same run."
)
_ANYTHING: Final[dict[str, Any]] = {
    "application/json": {"schema": {}},
    "application/x-www-form-urlencoded": {"schema": {"type": "object", "additionalProperties": True}},
    "text/plain": {"schema": {"type": "string"}},
}


def hook_paths(refs: dict[Any, Any]) -> dict[str, Any]:
    received = {
        "type": "object",
        "properties": {"success": {"const": True}, "data": refs[Received, "serialization"]},
        "required": ["success", "data"],
    }
    return {
        PATH: {
            "post": {
                "operationId": OPERATION,
                "tags": ["workflows"],
                "summary": "Start a workflow from another system",
                "description": _DESCRIPTION,
                "security": [],
                "parameters": [
                    {"name": "hook_id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"$ref": "#/components/parameters/IdempotencyKey"},
                ],
                "requestBody": {"required": False, "content": _ANYTHING},
                "responses": {
                    "202": reply("Committed: the run will take place.", received),
                    **error_replies(_ERRORS, refs),
                },
            }
        }
    }
