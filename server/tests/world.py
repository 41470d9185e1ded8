"""Who lives in the tests: organisations, their members and keys, and clients that speak for them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg

from bivelio_server.accounts.api_keys import generate_key
from bivelio_server.accounts.provisioning import Provisioned, ProvisionRequest, provision
from bivelio_server.installation import Installation
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.ids import new_id

PASSWORD = "correct horse battery staple"


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

    def member(self, role: str) -> UUID:
        """A fresh user with this role."""
        user_id = uuid4()
        now = datetime.now(UTC)
        self.world.database.execute(
            "insert into users (id, email, password_hash, created_at) values (%s, %s, '', %s)",
            (user_id, f"{role}-{user_id}@example.com", now),
        )
        self.world.database.execute("insert into members values (%s, %s, %s, %s)", (self.id, user_id, role, now))
        return user_id

    def with_role(self, role: str) -> Client:
        """A client whose rights are those of a member with this role."""
        return self.key("admin", made_by=self.member(role))

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

    @property
    def anonymous(self) -> Client:
        return Client(self.http, {})

    def client(self, key: str) -> Client:
        return Client(self.http, {"X-API-Key": key})

    def bearer(self, token: str) -> Client:
        return Client(self.http, {"Authorization": f"Bearer {token}"})

    def organization(self, name: str, plan: str = "enterprise") -> Organization:
        email = f"owner-{uuid4().hex[:12]}@example.com"
        request = ProvisionRequest.model_validate(
            {"organization": name, "plan": plan, "email": email, "password": PASSWORD}
        )
        return Organization(self, provision(self.installation.owner_url, request), email)
