"""From the credentials of a request to its Caller, in one database call, so that a revocation holds at once."""

from typing import Final

from starlette.requests import Request

from bivelio_server.accounts.api_keys import digest_of, is_well_formed_key
from bivelio_server.accounts.roles import rights_of
from bivelio_server.accounts.tokens import AccessTokens
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.db import Database
from bivelio_server.kit.errors import NotAuthenticated

_KEY_MARK: Final = "bv_"
_BY_KEY: Final = "select org_id, environment, id, type, scopes, user_id, role, plan from caller_by_key(%s)"
_BY_SESSION: Final = "select org_id, environment, user_id, role, plan from caller_by_session(%s)"


class Authentication:
    def __init__(self, database: Database, tokens: AccessTokens, clock: Clock) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock

    async def __call__(self, request: Request) -> Caller:
        """Raises NotAuthenticated, CredentialsExpired."""
        credential = _credential(request)
        if credential.startswith(_KEY_MARK):
            return await self.caller_of_key(credential)
        return await self._caller_of_token(credential)

    async def caller_of_key(self, key: str) -> Caller:
        if not is_well_formed_key(key):
            raise NotAuthenticated
        row = await self._database.call(_BY_KEY, (digest_of(key),))
        if row is None:
            raise NotAuthenticated
        org_id, environment, id_, type_, scopes, user_id, role, plan = row
        rights = rights_of(role, tuple(scopes), type_)
        return Caller(org_id, Environment(environment), f"key:{id_}", user_id, rights, plan)

    async def _caller_of_token(self, token: str) -> Caller:
        session_id = self._tokens.session_id(token, self._clock.now())
        row = await self._database.call(_BY_SESSION, (session_id,))
        if row is None:
            raise NotAuthenticated
        org_id, environment, user_id, role, plan = row
        return Caller(org_id, Environment(environment), f"user:{user_id}", user_id, rights_of(role), plan)


def _credential(request: Request) -> str:
    key = request.headers.get("x-api-key")
    if key is not None:
        return key.strip()
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated
    return token.strip()
