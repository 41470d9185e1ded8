"""`POST /v1/auth/token`: sign in with a password or a one-time code, trade a refresh token. Bare, as printed."""

import hashlib
from base64 import urlsafe_b64encode
from hmac import compare_digest
from typing import Any, Final
from uuid import UUID

from psycopg.rows import TupleRow
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bivelio_server.accounts.authentication import Authentication
from bivelio_server.accounts.passwords import Password, PasswordCheck
from bivelio_server.accounts.sandbox_address import is_sandbox_address, require_sandbox
from bivelio_server.accounts.second_factor import require_second_factor
from bivelio_server.accounts.sessions import Tokens, Visitor, digest_of, open_session, refresh
from bivelio_server.accounts.throttle import forgive, throttle_address, throttle_sign_in
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.door import json_response, method_not_allowed, read_json
from bivelio_server.kit.errors import NotAuthenticated, NotFound, Problem, ValidationFailed
from bivelio_server.kit.ids import uuid_of
from bivelio_server.kit.models import Id, Input
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import validation_failed

Code = Field(None, max_length=40, description="Of the second factor, if it is in use: a TOTP or a recovery code.")


class PasswordGrant(Input):
    """`organization_id` chooses among several; by default it is the one of the `apikey` header, or the first."""

    email: str = Field(max_length=254, examples=["tu@email.com"])
    password: Password
    code: str | None = Code
    organization_id: Id | None = None


class CodeGrant(Input):
    """`authorization_code` is what sign-in with a provider gave; `code_verifier` proves who began it."""

    authorization_code: str = Field(max_length=200)
    code_verifier: str | None = Field(None, min_length=43, max_length=128)
    code: str | None = Code
    organization_id: Id | None = None


class RefreshGrant(Input):
    refresh_token: str = Field(max_length=200)


class SignIn:
    """The ASGI application at the path."""

    def __init__(self, services: Services, authentication: Authentication) -> None:
        self._services = services
        self._authentication = authentication
        self._check_password = PasswordCheck()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            raise method_not_allowed(request.method)
        request.state.operation = "auth.token"
        body = await read_json(request, self._services.settings.max_body_bytes)
        grant_type = request.query_params.get("grant_type")
        if grant_type == "password":
            tokens = await self._with_password(request, read_bare(PasswordGrant, body))
        elif grant_type == "authorization_code":
            tokens = await self._with_code(request, read_bare(CodeGrant, body))
        elif grant_type == "refresh_token":
            grant: RefreshGrant = read_bare(RefreshGrant, body)
            await self._require_sandbox(request, grant)
            tokens = await refresh(self._services, grant.refresh_token, Visitor.of(request))
        else:
            raise ValidationFailed(Problem("grant_type", "one_of", _GRANT_TYPES))
        return bare_reply(tokens)

    async def _with_password(self, request: Request, grant: PasswordGrant) -> Tokens:
        org_id, environment = await self._chosen_organisation(request, grant.organization_id)
        await throttle_sign_in(self._services, request.state.admitted.address, grant.email)
        row = await credentials_of(self._services, grant.email)
        user_id, email, stored, sealed = row or (None, None, None, None)
        if not await self._check_password(grant.password, stored):
            raise NotAuthenticated(WRONG_PASSWORD)
        await require_second_factor(self._services, user_id, sealed, grant.code)
        tokens = await open_session(self._services, user_id, email, org_id, environment, Visitor.of(request))
        if tokens is None:
            raise self._no_member(grant.organization_id)
        await forgive(self._services, grant.email)
        return tokens

    async def _with_code(self, request: Request, grant: CodeGrant) -> Tokens:
        org_id, environment = await self._chosen_organisation(request, grant.organization_id)
        await throttle_address(self._services, request.state.admitted.address)
        digest, call = digest_of(grant.authorization_code), self._services.database.call
        row = await call(
            "select user_id, email, challenge, second_factor_secret from sign_in_code(%s, %s)",
            (digest, self._services.clock.now()),
        )
        if row is None or not _proves(grant.code_verifier, row[2]):
            raise NotAuthenticated(_WRONG_CODE)
        user_id, email, _, sealed = row
        await require_second_factor(self._services, user_id, sealed, grant.code)
        taken = await call("select take_sign_in_code(%s)", (digest,))
        if taken is None or not taken[0]:
            raise NotAuthenticated(_WRONG_CODE)
        tokens = await open_session(self._services, user_id, email, org_id, environment, Visitor.of(request))
        if tokens is None:
            raise self._no_member(grant.organization_id)
        return tokens

    async def _chosen_organisation(self, request: Request, chosen: str | None) -> tuple[UUID | None, Environment]:
        key = request.headers.get("apikey")
        org_id, environment = None, Environment.sandbox if is_sandbox_address(request) else Environment.live
        if key is not None:
            caller = await self._authentication.caller_of_key(key.strip())
            require_sandbox(request, caller.environment)
            org_id, environment = caller.org_id, caller.environment
        if chosen is None:
            return org_id, environment
        if org_id is not None and str(org_id) != chosen:
            raise NotFound("organization_id")
        return uuid_of(chosen, "organization_id"), environment

    async def _require_sandbox(self, request: Request, grant: RefreshGrant) -> None:
        """Before the token is traded: one that is refused here still works at its own address."""
        if is_sandbox_address(request):
            row = await self._services.database.call(
                "select refresh_token_environment(%s)", (digest_of(grant.refresh_token),)
            )
            if row is not None and row[0] is not None:
                require_sandbox(request, Environment(row[0]))

    def _no_member(self, chosen: str | None) -> NotAuthenticated | NotFound:
        return NotAuthenticated(WRONG_PASSWORD) if chosen is None else NotFound("organization_id")


async def credentials_of(services: Services, email: str) -> TupleRow | None:
    """Id, address, password's hash and sealed second factor, if one is in use, of the person with that address."""
    return await services.database.call(
        "select id, email, password_hash, second_factor_secret from user_for_sign_in(%s)", (email,)
    )


def read_bare(model: type[Any], body: Any) -> Any:
    """A body that has no envelope. Raises ValidationFailed."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise validation_failed(error, whole="body") from None


def bare_reply(tokens: Tokens) -> Response:
    return json_response(tokens.model_dump(), headers={"Cache-Control": "no-store"})


def _proves(verifier: str | None, challenge: str | None) -> bool:
    """Whether the verifier is that of the challenge (PKCE, S256); without a challenge none is asked for."""
    if challenge is None:
        return verifier is None
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return compare_digest(urlsafe_b64encode(digest).rstrip(b"="), challenge.encode())


_GRANT_TYPES: Final = Text(
    "El parámetro 'grant_type' debe ser 'password', 'authorization_code' o 'refresh_token'.",
    "The parameter 'grant_type' must be 'password', 'authorization_code' or 'refresh_token'.",
)
WRONG_PASSWORD: Final = Text("El correo o la contraseña no son correctos.", "The e-mail or the password is not right.")
_WRONG_CODE: Final = Text("El código de acceso no es válido o ha caducado.", "The sign-in code is not valid any more.")
