"""The provider that vouches for people: OpenID Connect discovery, code flow with PKCE, what its tokens must say.

Everything is fetched through the guarded door. Metadata and keys are kept for an hour; a token signed with a key that
is not known yet has them fetched anew, at most once a minute.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key
from pydantic import BaseModel, ConfigDict, ValidationError

from bivelio_server.kit import json
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed, NotAuthenticated
from bivelio_server.kit.http import OutgoingError
from bivelio_server.kit.text import Text

#: No `none`, and nothing that a public key could be mistaken for the secret of.
_ALGORITHMS: Final = ["RS256", "PS256", "ES256"]
_SCOPE: Final = "openid email profile"
_DISCOVERY: Final = "/.well-known/openid-configuration"
_KEPT: Final = timedelta(hours=1)
_KEYS_AGAIN: Final = timedelta(minutes=1)
_LEEWAY_SECONDS: Final = 60
_MAX_BYTES: Final = 512 * 1024


class Metadata(BaseModel):
    """What discovery says, as far as it is used."""

    model_config = ConfigDict(extra="ignore")

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in on its way: what the answer must match."""

    state: str
    nonce: str
    code_verifier: str

    @classmethod
    def new(cls) -> "Attempt":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider vouches for. `email` is None unless the provider has verified it."""

    subject: str
    email: str | None
    name: str | None


class Provider:
    """`callback` is the address to which the provider sends people back."""

    def __init__(self, services: Services, issuer: str, callback: str) -> None:
        settings = services.settings
        self.issuer = issuer
        self._services = services
        self._callback = callback
        self._client_id = settings.oidc_client_id or ""
        self._secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else ""
        self._metadata: tuple[datetime, Metadata] | None = None
        self._keys: tuple[datetime, KeySet] | None = None

    async def authorization_url(self, attempt: Attempt) -> str:
        """Where to send the browser. Raises IntegrationFailed."""
        endpoint = (await self._discovered()).authorization_endpoint
        challenge = hashlib.sha256(attempt.code_verifier.encode()).digest()
        query = urlencode({
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._callback,
            "scope": _SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        })  # fmt: skip
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    async def identity(self, code: str, attempt: Attempt) -> Identity:
        """Whom the code stands for. Raises NotAuthenticated, IntegrationFailed."""
        claims = await self._verified(await self._id_token(code, attempt), attempt.nonce)
        verified = claims.get("email_verified") is True and isinstance(claims.get("email"), str)
        name = claims.get("name")
        return Identity(
            subject=claims["sub"],
            email=claims["email"] if verified else None,
            name=name[:200] if isinstance(name, str) and name.strip() else None,
        )

    async def _id_token(self, code: str, attempt: Attempt) -> str:
        metadata = await self._discovered()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._callback,
            "client_id": self._client_id, "code_verifier": attempt.code_verifier,
        }  # fmt: skip
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            pair = f"{quote(self._client_id, safe='')}:{quote(self._secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_secret"] = self._secret
        status, body = await self._call("POST", metadata.token_endpoint, headers, urlencode(form).encode())
        token = body.get("id_token")
        if status >= 500:
            raise IntegrationFailed(_FAILED, details={"status": status})
        if status != 200 or not isinstance(token, str):
            raise NotAuthenticated(_REFUSED)
        return token

    async def _verified(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of a token that is signed by the provider, for us, for this attempt, and still valid."""
        now = self._services.clock.now()
        try:
            claims = jwt.decode(token, await self._keys_for(token), _ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                now=int(now.timestamp()),
                leeway=_LEEWAY_SECONDS,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self._client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise NotAuthenticated(_REFUSED) from None
        if not isinstance(claims["sub"], str) or not self._is_meant_for_us(claims):
            raise NotAuthenticated(_REFUSED)
        return claims

    def _is_meant_for_us(self, claims: dict[str, Any]) -> bool:
        """A token for several audiences must name us as the one that asked for it."""
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        return claims.get("azp", None if several else self._client_id) == self._client_id

    async def _discovered(self) -> Metadata:
        now = self._services.clock.now()
        if self._metadata is not None and now - self._metadata[0] < _KEPT:
            return self._metadata[1]
        status, body = await self._call("GET", self.issuer.rstrip("/") + _DISCOVERY, {"accept": "application/json"})
        try:
            metadata = Metadata.model_validate(body)
        except ValidationError as error:
            raise IntegrationFailed(_FAILED, details={"status": status}) from error
        if metadata.issuer != self.issuer or status != 200:
            raise IntegrationFailed(_FAILED, details={"status": status})
        self._metadata = now, metadata
        return metadata

    async def _keys_for(self, token: str) -> KeySet:
        """The provider's keys, fetched anew when the token names one that is not among them."""
        now, wanted = self._services.clock.now(), _key_id(token)
        if self._keys is not None:
            age, known = now - self._keys[0], {key.kid for key in self._keys[1].keys}
            if age < _KEYS_AGAIN or (age < _KEPT and (wanted is None or wanted in known)):
                return self._keys[1]
        metadata = await self._discovered()
        _, body = await self._call("GET", metadata.jwks_uri, {"accept": "application/json"})
        keys = _usable(body.get("keys"))
        self._keys = now, keys
        return keys

    async def _call(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of a reply. Raises IntegrationFailed."""
        try:
            reply = await self._services.http.request(
                method, url, headers=headers, content=content, max_response_bytes=_MAX_BYTES
            )
            body = json.loads(reply.body)
        except (OutgoingError, json.InvalidJSON) as error:
            raise IntegrationFailed(_FAILED) from error
        return reply.status, body if isinstance(body, dict) else {}


def _usable(keys: object) -> KeySet:
    """Those of the keys that can be read: a provider may have some of kinds that are not known here."""
    usable = []
    for key in keys if isinstance(keys, list) else []:
        try:
            usable.append(import_key(key))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return KeySet(usable)


def _key_id(token: str) -> str | None:
    """The `kid` of a token, whatever else it may be. Raises ValueError."""
    head = token.partition(".")[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    kid = header.get("kid") if isinstance(header, dict) else None
    return kid if isinstance(kid, str) else None


_FAILED: Final = Text("El proveedor de acceso no ha respondido bien.", "The sign-in provider did not respond well.")
_REFUSED: Final = Text(
    "El proveedor de acceso no ha confirmado quién eres.", "The sign-in provider did not confirm who you are."
)
