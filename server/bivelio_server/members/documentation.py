"""The OpenAPI entry of accepting an invitation, which is no operation: its request and reply are bare."""

from typing import Any, Final

from bivelio_server.accounts.sessions import Tokens
from bivelio_server.kit.errors import (
    BodyTooLarge,
    Conflict,
    CredentialsExpired,
    Impossible,
    InsufficientScope,
    InternalError,
    NotAuthenticated,
    NotFound,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)
from bivelio_server.kit.openapi import error_replies
from bivelio_server.members.acceptance import InvitationAnswer

INVITATION_MODELS: Final = [(InvitationAnswer, "validation"), (Tokens, "serialization")]
_ERRORS: Final = (
    ValidationFailed, BodyTooLarge, UnsupportedMediaType, Impossible, NotAuthenticated, CredentialsExpired,
    InsufficientScope, NotFound, Conflict, TooManyRequests, InternalError, Unavailable,
)  # fmt: skip


def invitation_paths(refs: dict[Any, Any]) -> dict[str, Any]:
    answer = {"application/json": {"schema": refs[InvitationAnswer, "validation"]}}
    tokens = {"application/json": {"schema": refs[Tokens, "serialization"]}}
    return {
        "/v1/auth/invitations/accept": {
            "post": {
                "operationId": "auth.accept_invitation",
                "tags": ["auth"],
                "summary": "Accept an invitation, and sign in to its organisation",
                "security": [{}, {"Bearer": []}],
                "requestBody": {"required": True, "content": answer},
                "responses": {
                    "200": {"description": "Tokens.", "content": tokens},
                    **error_replies(_ERRORS, refs),
                },
            }
        }
    }
