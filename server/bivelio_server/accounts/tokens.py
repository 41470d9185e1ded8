"""Access tokens: short-lived JWTs, HS256 with a key id, every claim checked."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet, OctKey

from bivelio_server.kit.caller import Session
from bivelio_server.kit.errors import CredentialsExpired, NotAuthenticated
from bivelio_server.kit.secrets import SecretKey

_ISSUER: Final = "bivelio"
_AUDIENCE: Final = "bivelio-api"
_ALGORITHM: Final = "HS256"
_KEY_ID: Final = "1"


class AccessTokens:
    def __init__(self, key: SecretKey, life: timedelta) -> None:
        self._keys = KeySet([OctKey.import_key(key.derive("access tokens"), {"kid": _KEY_ID})])
        self.life = life

    def issue(self, session: Session, now: datetime) -> str:
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
        return jwt.encode({"alg": _ALGORITHM, "kid": _KEY_ID, "typ": "JWT"}, claims, self._keys, [_ALGORITHM])

    def session_id(self, token: str, now: datetime) -> UUID:
        """The sign-in that the token belongs to. Raises NotAuthenticated, CredentialsExpired."""
        try:
            decoded = jwt.decode(token, self._keys, [_ALGORITHM])
            self._claims(now).validate(decoded.claims)
            return UUID(decoded.claims["sid"])
        except ExpiredTokenError:
            raise CredentialsExpired from None
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise NotAuthenticated from None

    def _claims(self, now: datetime) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            iss={"essential": True, "value": _ISSUER},
            aud={"essential": True, "value": _AUDIENCE},
            sid={"essential": True},
            exp={"essential": True},
        )
