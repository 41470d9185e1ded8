"""From the credentials of a request to its Caller, in one database call, so that a revocation holds at once."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from psycopg.rows import TupleRow
from starlette.requests import Request

from bivelio_server.accounts.api_keys import PUBLISHABLE_PREFIX, digest_of, is_well_formed_key
from bivelio_server.accounts.roles import rights_of
from bivelio_server.accounts.tokens import AccessTokens
from bivelio_server.kit.admission import Limits
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.db import Database
from bivelio_server.kit.errors import CredentialsExpired, NotAuthenticated

_KEY_MARK: Final = "bv_"
_KEY: Final = "org_id, environment, id, type, scopes, user_id, role, plan, allowed_origins, api_version, expired"
_SESSION: Final = "org_id, environment, user_id, role, plan"
_WINDOW: Final = "per_minute, per_second, remaining, resets_at, retry_after, burst"
_BY_KEY: Final = f"select {_KEY} from caller_by_key(%s, %s)"  # noqa: S608 - columns, no input
_BY_SESSION: Final = f"select {_SESSION} from caller_by_session(%s)"  # noqa: S608 - columns, no input
_ADMIT_KEY: Final = f"select {_KEY}, {_WINDOW} from admit_by_key(%s, %s)"  # noqa: S608 - columns, no input
_ADMIT_SESSION: Final = f"select {_SESSION}, {_WINDOW} from admit_by_session(%s, %s)"  # noqa: S608 - columns, no input
_KEY_COLUMNS: Final = 11
_SESSION_COLUMNS: Final = 5


class Identified(NamedTuple):
    """Who calls, and the limits that the request is charged to. `allowed_origins` are those of a publishable key."""

    caller: Caller
    limits: Limits | None
    allowed_origins: frozenset[str] | None = None


class Authentication:
    def __init__(self, database: Database, tokens: AccessTokens, clock: Clock) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock

    async def admit(self, request: Request) -> Identified:
        """Raises NotAuthenticated, CredentialsExpired."""
        credential = _credential(request)
        if credential.startswith(_KEY_MARK):
            row = await self._key_row(_ADMIT_KEY, credential)
            key = row[:_KEY_COLUMNS]
            return Identified(_caller_of_key(key), _limits(row[_KEY_COLUMNS:]), _allowed_origins(key))
        session_id = self._tokens.session_id(credential, self._clock.now())
        row = await self._row(_ADMIT_SESSION, session_id)
        return Identified(_caller_of_session(session_id, row[:_SESSION_COLUMNS]), _limits(row[_SESSION_COLUMNS:]))

    def credentials(self, request: Request) -> "Credential":
        """Those of a request that was admitted, for work that outlasts it."""
        return Credential(_credential(request), self)

    async def caller_of(self, credential: str) -> Caller:
        """Without charging anybody. Raises NotAuthenticated, CredentialsExpired."""
        if credential.startswith(_KEY_MARK):
            return await self.caller_of_key(credential)
        session_id = self._tokens.session_id(credential, self._clock.now())
        row = await self._database.call(_BY_SESSION, (session_id,))
        if row is None:
            raise NotAuthenticated
        return _caller_of_session(session_id, row)

    async def caller_of_key(self, key: str) -> Caller:
        """Without charging anybody. Raises NotAuthenticated, CredentialsExpired."""
        return _caller_of_key(await self._key_row(_BY_KEY, key))

    async def _key_row(self, sql: str, key: str) -> TupleRow:
        if not is_well_formed_key(key):
            raise NotAuthenticated
        return await self._row(sql, digest_of(key))

    async def _row(self, sql: str, credential: bytes | UUID) -> TupleRow:
        row = await self._database.call(sql, (credential, self._clock.now()))
        if row is None:
            raise NotAuthenticated
        return row


@dataclass(frozen=True, slots=True)
class Credential:
    """A key or an access token, as it came."""

    _value: str = field(repr=False)
    _authentication: Authentication = field(repr=False, compare=False)

    async def look_again(self) -> Caller:
        """The caller that it stands for now. Raises NotAuthenticated, CredentialsExpired."""
        return await self._authentication.caller_of(self._value)


def _caller_of_key(row: TupleRow) -> Caller:
    org_id, environment, id_, type_, scopes, user_id, role, plan, _allowed_origins, api_version, expired = row
    if expired:
        raise CredentialsExpired
    rights = rights_of(role, tuple(scopes), type_)
    return Caller(org_id, Environment(environment), f"key:{id_}", user_id, rights, plan, api_version=api_version)


def _allowed_origins(row: TupleRow) -> frozenset[str] | None:
    _org_id, _environment, _id, type_, *_others, allowed_origins, _api_version, _expired = row
    return frozenset(allowed_origins) if type_ == "publishable" else None


def _caller_of_session(session_id: UUID, row: TupleRow) -> Caller:
    org_id, environment, user_id, role, plan = row
    return Caller(
        org_id, Environment(environment), f"user:{user_id}", user_id, rights_of(role), plan, session_id=session_id
    )


def _limits(row: TupleRow) -> Limits | None:
    """None for a plan without limits."""
    per_minute, per_second, remaining, resets_at, retry_after, burst = row
    if per_minute is None:
        return None
    return Limits(per_minute, per_second, remaining, resets_at, retry_after, bool(burst))


def is_publishable(request: Request) -> bool:
    """Whether its credential looks like a publishable key, be it valid or not."""
    try:
        return _credential(request).startswith(PUBLISHABLE_PREFIX)
    except NotAuthenticated:
        return False


def _credential(request: Request) -> str:
    key = request.headers.get("x-api-key")
    if key is not None:
        return key.strip()
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated
    return token.strip()
