"""`POST /v1/auth/token`: sign in with a password, trade a refresh token. The reply is bare, as printed."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bivelio_server.accounts.authentication import Authentication
from bivelio_server.accounts.passwords import PasswordCheck
from bivelio_server.accounts.sandbox_address import is_sandbox_address, require_sandbox
from bivelio_server.accounts.tokens import AccessTokens, Session
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.door import choose_version, json_response, method_not_allowed, read_json
from bivelio_server.kit.errors import (
    CredentialsExpired,
    NotAuthenticated,
    Problem,
    TooManyRequests,
    ValidationFailed,
)
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import validation_failed

#: Attempts at once from one address (an office, a proxy), and at one account.
_CAPACITIES: Final = [100, 20]
_REFILL_SECONDS: Final = 15
_REUSE_GRACE: Final = timedelta(seconds=10)


class PasswordGrant(Input):
    email: str = Field(max_length=254, examples=["tu@email.com"])
    password: str = Field(max_length=1024)


class RefreshGrant(Input):
    refresh_token: str = Field(max_length=200)


class SignedInUser(Output):
    id: str
    email: str


class Tokens(Output):
    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    user: SignedInUser


class SignIn:
    """The ASGI application at the path."""

    def __init__(self, services: Services, authentication: Authentication, tokens: AccessTokens) -> None:
        self._services = services
        self._authentication = authentication
        self._tokens = tokens
        self._check_password = PasswordCheck()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        choose_version(request, self._services.catalogue.versions, None)
        if request.method != "POST":
            raise method_not_allowed(request.method)
        request.state.operation = "auth.token"
        body = await read_json(request, self._services.settings.max_body_bytes)
        grant_type = request.query_params.get("grant_type")
        if grant_type == "password":
            tokens = await self._with_password(request, _read(PasswordGrant, body))
        elif grant_type == "refresh_token":
            tokens = await self._with_refresh_token(request, _read(RefreshGrant, body))
        else:
            raise ValidationFailed(Problem("grant_type", "one_of", _GRANT_TYPES))
        return json_response(tokens.model_dump(), headers={"Cache-Control": "no-store"})

    async def _with_password(self, request: Request, grant: PasswordGrant) -> Tokens:
        org_id, environment = await self._chosen_organisation(request)
        subjects = [_subject("address", request.state.admitted.address), _subject("email", grant.email.lower())]
        await self._throttle(subjects)
        row = await self._services.database.call(
            "select id, email, password_hash from user_for_sign_in(%s)", (grant.email,)
        )
        user_id, email, stored = row or (None, None, None)
        if not await self._check_password(grant.password, stored):
            raise NotAuthenticated(_WRONG_PASSWORD)
        tokens = await self._open_session(user_id, email, org_id, environment)
        await self._services.database.call("select forgive_sign_in_attempts(%s)", (subjects[1:],))
        return tokens

    async def _chosen_organisation(self, request: Request) -> tuple[UUID | None, Environment]:
        key = request.headers.get("apikey")
        if key is None:
            return None, Environment.sandbox if is_sandbox_address(request) else Environment.live
        caller = await self._authentication.caller_of_key(key.strip())
        require_sandbox(request, caller.environment)
        return caller.org_id, caller.environment

    async def _throttle(self, subjects: list[str]) -> None:
        row = await self._services.database.call(
            "select take_sign_in_attempt(%s, %s, %s, %s)",
            (subjects, _CAPACITIES, _REFILL_SECONDS, self._services.clock.now()),
        )
        if row and row[0] > 0:
            raise TooManyRequests(retry_after=row[0])

    async def _open_session(self, user_id: UUID, email: str, org_id: UUID | None, environment: Environment) -> Tokens:
        session_id, refresh_token, now = uuid4(), _new_refresh_token(), self._services.clock.now()
        row = await self._services.database.call(
            "select org_id from open_session(%s, %s, %s, %s, %s, %s, %s)",
            (
                session_id,
                user_id,
                org_id,
                environment.value,
                _digest(refresh_token),
                now,
                now + self._refresh_life,
            ),
        )
        if row is None:
            raise NotAuthenticated(_WRONG_PASSWORD)
        return self._tokens_for(Session(session_id, user_id, row[0], environment), email, refresh_token)

    async def _with_refresh_token(self, request: Request, grant: RefreshGrant) -> Tokens:
        await self._require_sandbox(request, grant)
        successor, now = _new_refresh_token(), self._services.clock.now()
        row = await self._services.database.call(
            "select outcome, session_id, org_id, environment, user_id, email"
            " from rotate_refresh_token(%s, %s, %s, %s, %s)",
            (_digest(grant.refresh_token), _digest(successor), now, now + self._refresh_life, _REUSE_GRACE),
        )
        if row is None or row[0] in ("invalid", "reused"):
            raise NotAuthenticated
        if row[0] == "expired":
            raise CredentialsExpired
        _, session_id, org_id, environment, user_id, email = row
        return self._tokens_for(Session(session_id, user_id, org_id, Environment(environment)), email, successor)

    async def _require_sandbox(self, request: Request, grant: RefreshGrant) -> None:
        """Before the token is traded: one that is refused here still works at its own address."""
        if is_sandbox_address(request):
            row = await self._services.database.call(
                "select refresh_token_environment(%s)", (_digest(grant.refresh_token),)
            )
            if row is not None and row[0] is not None:
                require_sandbox(request, Environment(row[0]))

    def _tokens_for(self, session: Session, email: str, refresh_token: str) -> Tokens:
        return Tokens(
            access_token=self._tokens.issue(session, self._services.clock.now()),
            token_type="bearer",  # noqa: S106 - the reference's word, no secret
            expires_in=int(self._tokens.life.total_seconds()),
            refresh_token=refresh_token,
            user=SignedInUser(id=str(session.user_id), email=email),
        )

    @property
    def _refresh_life(self) -> timedelta:
        return timedelta(days=self._services.settings.refresh_token_days)


def _read(model: type[Any], body: Any) -> Any:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise validation_failed(error, whole="body") from None


def _new_refresh_token() -> str:
    return f"v1.{secrets.token_urlsafe(32)}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _subject(kind: str, value: str) -> str:
    """The bucket of an attempt; hashed, since it holds what anybody may type."""
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()[:32]}"


_GRANT_TYPES: Final = Text(
    "El parámetro 'grant_type' debe ser 'password' o 'refresh_token'.",
    "The parameter 'grant_type' must be 'password' or 'refresh_token'.",
)
_WRONG_PASSWORD: Final = Text("El correo o la contraseña no son correctos.", "The e-mail or the password is not right.")
