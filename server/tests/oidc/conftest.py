"""An application whose people may sign in with a provider."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import psycopg
import pytest
from pydantic import SecretStr

from bivelio_server.app import create_app
from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services

HOME = "https://back-office.example.com/"


@dataclass
class Browser:
    """Somebody's browser at our server; it keeps our cookie."""

    http: httpx2.AsyncClient
    cookie: str = ""

    async def start(self, **query: str) -> httpx2.Response:
        reply = await self.http.get("/v1/auth/oidc/start", params={"redirect_uri": HOME, **query})
        self._keep(reply)
        return reply

    async def come_back(self, address: str) -> httpx2.Response:
        """Follow the provider's redirect to us."""
        parts = urlsplit(address)
        reply = await self.http.get(f"{parts.path}?{parts.query}", headers={"cookie": self.cookie})
        self._keep(reply)
        return reply

    async def trade(self, code: str, **body: Any) -> httpx2.Response:
        body = {"authorization_code": code, **body}
        return await self.http.post("/v1/auth/token?grant_type=authorization_code", json=body)

    def _keep(self, reply: httpx2.Response) -> None:
        self.cookie = reply.headers.get("set-cookie", self.cookie).partition(";")[0]


def query_of(reply: httpx2.Response) -> dict[str, str]:
    """What a redirect carries."""
    assert reply.status_code == 302, reply.text
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["location"]).query).items()}


@pytest.fixture(autouse=True)
def forgotten_attempts(owner: psycopg.Connection) -> None:
    owner.execute("delete from sign_in_attempts")


@pytest.fixture
def its_clock() -> MovableClock:
    """The server's alone: the provider is a program of its own, and goes by the true time."""
    return MovableClock()


@pytest.fixture
async def browser_at(
    services: Services, installation: Installation, its_clock: MovableClock
) -> AsyncIterator[Callable[..., Browser]]:
    """A browser of a server that trusts the provider with that issuer."""
    async with AsyncExitStack() as stack:

        def at(issuer: str, **changes: Any) -> Browser:
            settings = services.settings.model_copy(
                update={
                    "oidc_issuer": issuer,
                    "oidc_client_id": "bivelio",
                    "oidc_client_secret": SecretStr("a secret of ours"),
                    "oidc_redirect_uris": (HOME,),
                    **changes,
                }
            )
            app = create_app(replace(services, settings=settings, clock=its_clock), installation)
            client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://bivelio.test")
            stack.push_async_callback(client.aclose)
            return Browser(client)

        yield at
