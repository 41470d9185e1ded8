"""Sessions of people who have signed in: opened, refreshed, thrown away."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from starlette.requests import Request

from bivelio_server.kit.caller import Environment, Session
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import CredentialsExpired, NotAuthenticated
from bivelio_server.kit.models import Output

_REUSE_GRACE: Final = timedelta(seconds=10)
_MAX_USER_AGENT: Final = 200


class SignedInUser(Output):
    id: str
    email: str


class Tokens(Output):
    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    user: SignedInUser


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a session is used from, as its owner will recognise it."""

    address: str | None
    user_agent: str | None

    @classmethod
    def of(cls, request: Request) -> "Visitor":
        user_agent = request.headers.get("user-agent", "")[:_MAX_USER_AGENT]
        return cls(request.state.admitted.address or None, user_agent or None)


async def open_session(
    services: Services, user_id: UUID, email: str, org_id: UUID | None, environment: Environment, visitor: Visitor
) -> Tokens | None:
    """The tokens of a new session in that organisation, or in the person's first; None when they are no member."""
    session_id, refresh_token, now = uuid4(), new_secret(), services.clock.outside()
    row = await services.database.call(
        "select org_id from open_session(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            session_id, user_id, org_id, environment.value, digest_of(refresh_token), now,
            now + _refresh_life(services), visitor.address, visitor.user_agent,
        ),
    )  # fmt: skip
    if row is None:
        return None
    return _tokens(services, Session(session_id, user_id, row[0], environment), email, refresh_token)


async def refresh(services: Services, refresh_token: str, visitor: Visitor) -> Tokens:
    """New tokens for the same session. Raises NotAuthenticated, CredentialsExpired."""
    successor, now = new_secret(), services.clock.outside()
    row = await services.database.call(
        "select outcome, session_id, org_id, environment, user_id, email"
        " from rotate_refresh_token(%s, %s, %s, %s, %s, %s)",
        (
            digest_of(refresh_token), digest_of(successor), now, now + _refresh_life(services), _REUSE_GRACE,
            visitor.address,
        ),
    )  # fmt: skip
    if row is None or row[0] in ("invalid", "reused"):
        raise NotAuthenticated
    if row[0] == "expired":
        raise CredentialsExpired
    _, session_id, org_id, environment, user_id, email = row
    return _tokens(services, Session(session_id, user_id, org_id, Environment(environment)), email, successor)


def new_secret() -> str:
    """An opaque token; only its digest is kept."""
    return f"v1.{secrets.token_urlsafe(32)}"


def digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _tokens(services: Services, session: Session, email: str, refresh_token: str) -> Tokens:
    return Tokens(
        access_token=services.tokens.issue(session, services.clock.outside()),
        token_type="bearer",  # noqa: S106 - the reference's word, no secret
        expires_in=services.settings.access_token_seconds,
        refresh_token=refresh_token,
        user=SignedInUser(id=str(session.user_id), email=email),
    )


def _refresh_life(services: Services) -> timedelta:
    return timedelta(days=services.settings.refresh_token_days)
