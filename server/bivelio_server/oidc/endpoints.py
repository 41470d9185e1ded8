"""Sign-in with a provider, as a browser goes through it: `start`, away to the provider, back to `callback`.

`callback` ends at an address of the operator's choice with a one-time code, which `/v1/auth/token` trades for tokens,
so that no token ever stands in an address. What an attempt must match travels in a cookie that only this server can
read, so that nobody finishes a sign-in in a browser where it did not begin.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bivelio_server.accounts.passwords import NO_PASSWORD
from bivelio_server.accounts.sessions import digest_of, new_secret
from bivelio_server.accounts.throttle import throttle_address
from bivelio_server.kit import json
from bivelio_server.kit.context import Services
from bivelio_server.kit.door import json_response, method_not_allowed
from bivelio_server.kit.errors import NotAuthenticated, NotFound, Problem, ValidationFailed
from bivelio_server.kit.models import Output
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.secrets import DecryptionFailed
from bivelio_server.kit.text import Text
from bivelio_server.members.acceptance import Newcomer, accept, find_invitation_to
from bivelio_server.oidc.provider import Attempt, Identity, Provider

START: Final = "/v1/auth/oidc/start"
CALLBACK: Final = "/v1/auth/oidc/callback"
PROVIDERS: Final = "/v1/auth/providers"
_ATTEMPT_LIFE: Final = timedelta(minutes=10)
_CODE_LIFE: Final = timedelta(seconds=60)
_PLACE: Final = "cookie of an attempt to sign in"
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_STATE: Final = 500


class SignInProvider(Output):
    name: str
    start: str


class SignInProviders(Output):
    """With whom people may sign in, beside their password; `start` is where to send the browser."""

    providers: list[SignInProvider]


@dataclass(frozen=True, slots=True)
class Journey:
    """An attempt, and where it shall end: `state` and `challenge` are those of the client that began it."""

    attempt: Attempt
    redirect_uri: str
    state: str | None
    challenge: str | None
    expires_at: datetime


class OidcSignIn:
    """Three ASGI applications: what there is, the way out and the way back. Without a provider all is 404."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._services = services
        self._is_secure = settings.address.startswith("https://")
        self._cookie = "__Host-bivelio-oidc" if self._is_secure else "bivelio-oidc"
        self._allowed = settings.oidc_redirect_uris or (f"{settings.address}/",)
        issuer = settings.oidc_issuer
        self._provider = Provider(services, issuer, settings.address + CALLBACK) if issuer else None

    def routes(self) -> list[tuple[str, ASGIApp]]:
        endpoints = ((PROVIDERS, self._providers), (START, self._start), (CALLBACK, self._callback))
        return [(path, _Get(handle)) for path, handle in endpoints]

    async def _providers(self, _request: Request) -> Response:
        known = [SignInProvider(name=self._services.settings.oidc_name, start=START)] if self._provider else []
        return json_response(SignInProviders(providers=known).model_dump())

    async def _start(self, request: Request) -> Response:
        provider = self._required()
        journey = self._journey(request)
        reply = RedirectResponse(await provider.authorization_url(journey.attempt), 302, {"Cache-Control": "no-store"})
        self._set_cookie(reply, self._sealed(journey), int(_ATTEMPT_LIFE.total_seconds()))
        return reply

    async def _callback(self, request: Request) -> Response:
        provider = self._required()
        await throttle_address(self._services, request.state.admitted.address)
        journey = self._opened(request)
        if "error" in request.query_params:
            raise NotAuthenticated(_DECLINED, details={"provider_error": request.query_params["error"][:100]})
        identity = await provider.identity(request.query_params.get("code", ""), journey.attempt)
        code = await self._one_time_code(await self._person(request, provider, identity), journey.challenge)
        answer = {"code": code, **({} if journey.state is None else {"state": journey.state})}
        mark = "&" if "?" in journey.redirect_uri else "?"
        reply = RedirectResponse(
            f"{journey.redirect_uri}{mark}{urlencode(answer)}", 302,
            {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"},
        )  # fmt: skip
        self._set_cookie(reply, "", 0)
        return reply

    def _required(self) -> Provider:
        if self._provider is None:
            raise NotFound
        return self._provider

    def _journey(self, request: Request) -> Journey:
        """Raises ValidationFailed."""
        query = request.query_params
        redirect_uri, state, challenge = query.get("redirect_uri", ""), query.get("state"), query.get("code_challenge")
        if redirect_uri not in self._allowed:
            raise ValidationFailed(Problem("redirect_uri", "one_of", _REDIRECT_URI))
        if state is not None and len(state) > _MAX_STATE:
            raise ValidationFailed(Problem("state", "max_length", _STATE))
        if challenge is not None and not _CHALLENGE.fullmatch(challenge):
            raise ValidationFailed(Problem("code_challenge", "S256", _NO_CHALLENGE))
        return Journey(Attempt.new(), redirect_uri, state, challenge, self._services.clock.now() + _ATTEMPT_LIFE)

    async def _person(self, request: Request, provider: Provider, identity: Identity) -> UUID:
        """Whom the provider vouches for; who is new needs an invitation to that address. Raises NotAuthenticated."""
        user_id = await self._known(provider, identity)
        if user_id is not None:
            return user_id
        invitation = await find_invitation_to(self._services, identity.email) if identity.email else None
        if invitation is None:
            raise NotAuthenticated(_STRANGER if identity.email else _UNVERIFIED)
        origin = Origin(Door.http, request.state.request_id, request.state.admitted.address)
        newcomer = Newcomer(identity.name, NO_PASSWORD)
        await accept(self._services, invitation, uuid4(), newcomer, origin)
        user_id = await self._known(provider, identity)
        if user_id is None:
            raise NotAuthenticated(_STRANGER)
        return user_id

    async def _known(self, provider: Provider, identity: Identity) -> UUID | None:
        row = await self._services.database.call(
            "select user_id from user_of_identity(%s, %s, %s, %s)",
            (provider.issuer, identity.subject, identity.email, self._services.clock.now()),
        )
        return row[0] if row else None

    async def _one_time_code(self, user_id: UUID, challenge: str | None) -> str:
        code = new_secret()
        await self._services.database.call(
            "select keep_sign_in_code(%s, %s, %s, %s)",
            (digest_of(code), user_id, challenge, self._services.clock.now() + _CODE_LIFE),
        )
        return code

    def _sealed(self, journey: Journey) -> str:
        content = {**asdict(journey), "expires_at": int(journey.expires_at.timestamp())}
        sealed = self._services.cipher.encrypt(json.dumps(content).decode(), row=_PLACE)
        return urlsafe_b64encode(sealed).decode()

    def _opened(self, request: Request) -> Journey:
        """The attempt that this browser began. Raises NotAuthenticated."""
        try:
            sealed = urlsafe_b64decode(request.cookies.get(self._cookie, "").encode())
            content: Any = json.loads_trusted(self._services.cipher.decrypt(sealed, row=_PLACE))
        except (ValueError, DecryptionFailed):
            raise NotAuthenticated(_NOT_BEGUN) from None
        attempt, now = Attempt(**content["attempt"]), self._services.clock.now()
        given = request.query_params.get("state", "")
        if content["expires_at"] < now.timestamp() or not compare_digest(given.encode(), attempt.state.encode()):
            raise NotAuthenticated(_NOT_BEGUN)
        return Journey(attempt, content["redirect_uri"], content["state"], content["challenge"], now)

    def _set_cookie(self, reply: Response, value: str, max_age: int) -> None:
        reply.set_cookie(
            self._cookie, value, max_age=max_age, path="/", secure=self._is_secure, httponly=True, samesite="lax"
        )


class _Get:
    """An ASGI application that answers GET."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        request.state.operation = scope["path"].removeprefix("/v1/").replace("/", ".")
        if request.method != "GET":
            raise method_not_allowed(request.method, allow="GET")
        response: Response = await self._handle(request)
        await response(scope, receive, send)


_REDIRECT_URI: Final = Text(
    "El parámetro 'redirect_uri' debe ser una de las direcciones de BIVELIO_OIDC_REDIRECT_URIS.",
    "The parameter 'redirect_uri' must be one of the addresses in BIVELIO_OIDC_REDIRECT_URIS.",
)
_STATE: Final = Text(
    f"El parámetro 'state' tiene como mucho {_MAX_STATE} caracteres.",
    f"The parameter 'state' has at most {_MAX_STATE} characters.",
)
_NO_CHALLENGE: Final = Text(
    "El parámetro 'code_challenge' debe ser un SHA-256 en base64url (PKCE, S256).",
    "The parameter 'code_challenge' must be a SHA-256 in base64url (PKCE, S256).",
)
_NOT_BEGUN: Final = Text(
    "El acceso no comenzó en este navegador o ha caducado; empieza de nuevo.",
    "The sign-in did not begin in this browser or has expired; begin again.",
)
_DECLINED: Final = Text("El proveedor ha rechazado el acceso.", "The provider has declined the sign-in.")
_STRANGER: Final = Text(
    "Nadie te ha invitado con esa dirección de correo.", "Nobody has invited you with that e-mail address."
)
_UNVERIFIED: Final = Text(
    "El proveedor no ha verificado tu dirección de correo.", "The provider has not verified your e-mail address."
)
