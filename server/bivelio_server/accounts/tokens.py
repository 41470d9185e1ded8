"""Access tokens: short-lived JWTs, HS256 with a key id, every claim checked."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import GuestProtocol, OctKey

from bivelio_server.kit.caller import Session
from bivelio_server.kit.errors import CredentialsExpired, NotAuthenticated
from bivelio_server.kit.secrets import RootKey, SecretKey

_ISSUER: Final = "bivelio"
_AUDIENCE: Final = "bivelio-api"
_ALGORITHM: Final = "HS256"
#: The key id of tokens from before keys could be replaced: the oldest key's.
_UNNAMED_KEY: Final = "1"


class AccessTokens:
    def __init__(self, key: SecretKey, life: timedelta) -> None:
        self._key = key
        self.life = life

    def issue(self, session: Session, now: datetime) -> str:
        root = self._key.present
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(session.user_id),
            "org_id": str(session.org_id),
            "environment": session.environment.value,
            "sid": str(session.id),
            "iat": int(now.timestamp()),
            "exp": int((now + self.life).timestamp()),
        }
        return jwt.encode({"alg": _ALGORITHM, "kid": root.name, "typ": "JWT"}, claims, _signing(root), [_ALGORITHM])

    def session_id(self, token: str, now: datetime) -> UUID:
        """The sign-in that the token belongs to. Raises NotAuthenticated, CredentialsExpired."""
        try:
            decoded = jwt.decode(token, self._key_of, [_ALGORITHM])
            self._claims(now).validate(decoded.claims)
            return UUID(decoded.claims["sid"])
        except ExpiredTokenError:
            raise CredentialsExpired from None
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise NotAuthenticated from None

    def _key_of(self, token: GuestProtocol) -> OctKey:
        """The key that the token names. Raises ValueError."""
        name = token.headers().get("kid")
        root = self._key.all[-1] if name == _UNNAMED_KEY else self._key.find(bytes.fromhex(str(name)))
        if root is None:
            raise ValueError(name)
        return _signing(root)

    def _claims(self, now: datetime) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            iss={"essential": True, "value": _ISSUER},
            aud={"essential": True, "value": _AUDIENCE},
            sid={"essential": True},
            exp={"essential": True},
        )


@lru_cache(maxsize=16)
def _signing(root: RootKey) -> OctKey:
    return OctKey.import_key(root.derive("access tokens"), {"kid": root.name})
