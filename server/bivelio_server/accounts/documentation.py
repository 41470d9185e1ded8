"""The OpenAPI entry of sign-in, which is no operation: its request and reply are bare, as the reference prints them."""

from typing import Any, Final

from bivelio_server.accounts.sessions import Tokens
from bivelio_server.accounts.sign_in import CodeGrant, PasswordGrant, RefreshGrant
from bivelio_server.kit.errors import (
    BodyTooLarge,
    CredentialsExpired,
    InternalError,
    NotAuthenticated,
    NotFound,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)
from bivelio_server.kit.openapi import error_replies, reply

AUTH_MODELS: Final = [
    (PasswordGrant, "validation"), (CodeGrant, "validation"), (RefreshGrant, "validation"), (Tokens, "serialization"),
]  # fmt: skip
_ERRORS: Final = (
    ValidationFailed, BodyTooLarge, UnsupportedMediaType, NotAuthenticated, CredentialsExpired, NotFound,
    TooManyRequests, InternalError, Unavailable,
)  # fmt: skip


def auth_paths(refs: dict[Any, Any]) -> dict[str, Any]:
    grants = [refs[grant, "validation"] for grant in (PasswordGrant, CodeGrant, RefreshGrant)]
    return {
        "/v1/auth/token": {
            "post": {
                "operationId": "auth.token",
                "tags": ["auth"],
                "summary": "Sign in, or trade a one-time code or a refresh token",
                "security": [],
                "parameters": [
                    {
                        "name": "grant_type",
                        "in": "query",
                        "required": True,
                        "schema": {"enum": ["password", "authorization_code", "refresh_token"]},
                    },
                    {
                        "name": "apikey",
                        "in": "header",
                        "description": "A key of the organisation and environment to sign in to.",
                        "schema": {"type": "string"},
                    },
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"anyOf": grants}}},
                },
                "responses": {
                    "200": reply("Tokens.", refs[Tokens, "serialization"]),
                    **error_replies(_ERRORS, refs),
                },
            }
        }
    }
