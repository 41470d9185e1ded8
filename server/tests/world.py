"""Who lives in the tests: organisations, their members and keys, and clients that speak for them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg

from bivelio_server.accounts.api_keys import generate_key
from bivelio_server.accounts.passwords import hash_password
from bivelio_server.accounts.provisioning import Provisioned, ProvisionRequest, provision_over
from bivelio_server.accounts.sessions import digest_of
from bivelio_server.accounts.tokens import AccessTokens
from bivelio_server.installation import Installation
from bivelio_server.kit.caller import Environment, Session
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.ids import new_id

PASSWORD = "correct horse battery staple"
PASSWORD_HASH = hash_password(PASSWORD)


@dataclass(frozen=True)
class Client:
    """Somebody who calls the API with one credential (or none)."""

    http: httpx2.AsyncClient
    headers: dict[str, str]

    async def post(self, path: str, data: Any = None, **envelope: Any) -> httpx2.Response:
        """The reply to `{"data": data, …envelope}` at `path`."""
        body = {**envelope, **({} if data is None else {"data": data})}
        return await self.http.post(path, json=body, headers=self.headers)

    async def call(self, path: str, data: Any = None) -> Any:
        """The reply's `data`; anything but success fails the test."""
        reply = await self.post(path, data)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]


@dataclass(frozen=True)
class Person(Client):
    """Somebody who has signed in."""

    user_id: UUID
    session_id: UUID
    world: "World"

    @property
    def email(self) -> str:
        row = self.world.database.execute("select email from users where id = %s", (self.user_id,)).fetchone()
        assert row is not None
        return str(row[0])


@dataclass(frozen=True)
class Organization:
    world: "World"
    made: Provisioned
    email: str

    @property
    def id(self) -> UUID:
        return UUID(self.made.organization_id)

    @property
    def live(self) -> Client:
        """A client with a live secret key of all scopes."""
        return self.world.client(self.made.keys.live_secret)

    @property
    def sandbox(self) -> Client:
        return self.world.client(self.made.keys.test_secret)

    @property
    def publishable(self) -> Client:
        return self.world.client(self.made.keys.live_publishable)

    def key(self, *scopes: str, environment: Environment = Environment.live, made_by: UUID | None = None) -> Client:
        """A client with a fresh secret key of these scopes, made by the owner or another member."""
        new = generate_key("secret", environment)
        self.world.database.execute(
            "insert into api_keys (org_id, id, name, type, environment, scopes, digest, prefix, last4, created_by,"
            " created_at) values (%s, %s, 'test', 'secret', %s, %s, %s, %s, %s, %s, now())",
            (
                self.id, new_id("key"), environment.value, list(scopes), new.digest, new.prefix, new.last4,
                made_by or UUID(self.made.user_id),
            ),
        )  # fmt: skip
        return self.world.client(new.key)

    @property
    def owner_id(self) -> UUID:
        """Who owns it now."""
        row = self.world.database.execute(
            "select user_id from members where org_id = %s and role = 'owner'", (self.id,)
        ).fetchone()
        assert row is not None
        user_id: UUID = row[0]
        return user_id

    def member(self, role: str) -> UUID:
        """A fresh user with this role; of owners there is but one."""
        if role == "owner":
            return self.owner_id
        user_id, now = self.world.user(role), datetime.now(UTC)
        self.world.database.execute("insert into members values (%s, %s, %s, %s)", (self.id, user_id, role, now))
        return user_id

    def with_role(self, role: str) -> Client:
        """A client whose rights are those of a member with this role."""
        return self.key("admin", made_by=self.member(role))

    @property
    def owner(self) -> "Person":
        """The owner, signed in."""
        return self.signed_in(self.owner_id)

    def person(self, role: str) -> "Person":
        """A member with this role, signed in."""
        return self.signed_in(self.member(role))

    def signed_in(self, user_id: UUID, environment: Environment = Environment.live) -> "Person":
        """A client that speaks for a member, who has a session of its own and the usual password."""
        session = Session(uuid4(), user_id, self.id, environment)
        self.world.keep(session)
        tokens = AccessTokens(self.world.installation.secret_key, timedelta(hours=1))
        token = tokens.issue(session, self.world.clock.now())
        return Person(self.world.http, {"Authorization": f"Bearer {token}"}, user_id, session.id, self.world)

    async def sign_in(self) -> dict[str, Any]:
        """The tokens of the owner."""
        reply = await self.world.http.post(
            "/v1/auth/token?grant_type=password",
            json={"email": self.email, "password": PASSWORD},
            headers={"apikey": self.made.keys.live_publishable},
        )
        assert reply.status_code == 200, reply.text
        return reply.json()


@dataclass(frozen=True)
class World:
    installation: Installation
    http: httpx2.AsyncClient
    database: psycopg.Connection
    clock: Clock

    @property
    def anonymous(self) -> Client:
        return Client(self.http, {})

    def client(self, key: str) -> Client:
        return Client(self.http, {"X-API-Key": key})

    def bearer(self, token: str) -> Client:
        return Client(self.http, {"Authorization": f"Bearer {token}"})

    def user(self, name: str = "user") -> UUID:
        """A fresh person, with the usual password."""
        user_id = uuid4()
        self.database.execute(
            "insert into users (id, email, password_hash, created_at) values (%s, %s, %s, now())",
            (user_id, f"{name}-{user_id}@example.com", PASSWORD_HASH),
        )
        return user_id

    def keep(self, session: Session) -> None:
        """Make a sign-in as if it had just happened."""
        now = self.clock.now()
        self.database.execute(
            "insert into sign_in_sessions (id, user_id, org_id, environment, created_at) values (%s, %s, %s, %s, %s)",
            (session.id, session.user_id, session.org_id, session.environment.value, now),
        )
        self.database.execute(
            "insert into refresh_tokens (digest, session_id, created_at, expires_at) values (%s, %s, %s, %s)",
            (digest_of(str(session.id)), session.id, now, now + timedelta(days=30)),
        )

    def organization(self, name: str, plan: str = "enterprise") -> Organization:
        email = f"owner-{uuid4().hex[:12]}@example.com"
        request = ProvisionRequest.model_validate(
            {"organization": name, "plan": plan, "email": email, "password": PASSWORD}
        )
        with self.database.transaction():
            return Organization(self, provision_over(self.database, request, PASSWORD_HASH), email)
