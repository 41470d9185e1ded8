"""The OpenAPI entries of sign-in with a provider, which browsers walk through."""

from typing import Any, Final

from bivelio_server.kit.errors import (
    APIError,
    BodyTooLarge,
    Conflict,
    IntegrationFailed,
    InternalError,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    TooManyRequests,
    Unavailable,
    ValidationFailed,
)
from bivelio_server.kit.openapi import error_replies
from bivelio_server.oidc.endpoints import CALLBACK, PROVIDERS, START, SignInProviders

OIDC_MODELS: Final = [(SignInProviders, "serialization")]
_ALWAYS: Final = (ValidationFailed, BodyTooLarge, MethodNotAllowed, TooManyRequests, InternalError, Unavailable)
_ERRORS: Final = (*_ALWAYS, NotAuthenticated, NotFound, Conflict, IntegrationFailed)
_STARTING: Final = {
    "redirect_uri": "Where to end, one of those allowed.",
    "state": "Handed back at the end.",
    "code_challenge": "PKCE, S256: the code can then be traded with its verifier only.",
}
_RETURNING: Final = {"state": "As sent to the provider.", "code": "Of the provider.", "error": "Of the provider."}


def oidc_paths(refs: dict[Any, Any]) -> dict[str, Any]:
    providers = {"application/json": {"schema": refs[SignInProviders, "serialization"]}}
    listed = {"200": {"description": "Providers.", "content": providers}}
    away = {"302": {"description": "On to the next address.", "headers": {"Location": {"schema": {"type": "string"}}}}}
    return {
        PROVIDERS: _get("auth.providers", "List the sign-in providers", {}, listed, _ALWAYS, refs),
        START: _get("auth.oidc.start", "Begin to sign in with the provider", _STARTING, away, _ERRORS, refs),
        CALLBACK: _get("auth.oidc.callback", "Return from the provider", _RETURNING, away, _ERRORS, refs),
    }


def _get(
    operation: str,
    summary: str,
    query: dict[str, str],
    replies: dict[str, Any],
    errors: tuple[type[APIError], ...],
    refs: dict[Any, Any],
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}} for name, text in query.items()
    ]
    return {
        "get": {
            "operationId": operation,
            "tags": ["auth"],
            "summary": summary,
            "security": [],
            "parameters": parameters,
            "responses": {**replies, **error_replies(errors, refs)},
        }
    }
