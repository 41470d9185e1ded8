"""Keys in browsers: publishable ones at their origins, secret ones with a warning."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.app import create_app
from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.accounts.test_key_rotation import ROTATE
from tests.accounts.test_keys import made_key
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

PAGE, OTHER = "https://app.example.com", "https://evil.example.com"
CONTACTS = "/v1/contacts"
ALLOW, EXPOSE = "access-control-allow-origin", "access-control-expose-headers"


@pytest.fixture
async def key(acme: Organization) -> dict[str, Any]:
    """A publishable key of PAGE."""
    return await made_key(acme.live, type="publishable", allowed_origins=[PAGE])


@asynccontextmanager
async def client_of(services: Services, installation: Installation) -> AsyncIterator[httpx2.AsyncClient]:
    """Of an application that remembers nothing of the others."""
    transport = httpx2.ASGITransport(app=create_app(services, installation))
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as http:
        yield http


def at(organization: Organization, key: str, origin: str, **headers: str) -> Client:
    """A page at `origin` that calls with the key."""
    return Client(organization.world.http, {"X-API-Key": key, "Origin": origin, **headers})


@pytest.mark.parametrize("path", ["/v1/contacts", "/v1/contacts/create", "/v1/nowhere", "/v1/auth/token"])
async def test_a_browser_may_ask_before_without_credentials(acme: Organization, path: str) -> None:
    reply = await acme.world.http.options(
        path,
        headers={
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key,content-type",
        },
    )

    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers[ALLOW] == PAGE
    assert reply.headers["access-control-allow-methods"] == "POST"
    allowed = {name.strip().lower() for name in reply.headers["access-control-allow-headers"].split(",")}
    assert allowed == {
        "x-api-key", "authorization", "content-type", "accept-language", "idempotency-key", "bivelio-version",
        "x-request-id", "last-event-id",
    }  # fmt: skip
    assert (reply.headers["access-control-max-age"], reply.headers["vary"]) == ("600", "Origin")
    assert "access-control-allow-credentials" not in reply.headers


async def test_asking_before_counts_as_no_request_and_asks_no_database(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, services: Services
) -> None:
    async def call(*_: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(type(services.database), "call", call)
        reply = await acme.world.http.options(CONTACTS, headers={"Origin": PAGE})

    assert reply.status_code == 204


async def test_an_allowed_page_reads_the_reply(acme: Organization, key: dict[str, Any]) -> None:
    reply = await at(acme, key["key"], PAGE).post(CONTACTS)

    assert (reply.status_code, reply.headers[ALLOW], reply.headers["vary"]) == (200, PAGE, "Origin")
    exposed = {name.strip() for name in reply.headers[EXPOSE].split(",")}
    assert exposed == {
        "X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After",
        "BiVelio-Version", "Idempotent-Replayed",
    }  # fmt: skip
    assert "bivelio-warning" not in reply.headers
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "http://app.example.com", f"{PAGE}:444", f"{PAGE}.evil.com", PAGE.upper(), "", "*"]
)
async def test_another_page_is_refused(acme: Organization, key: dict[str, Any], origin: str) -> None:
    reply = await at(acme, key["key"], origin, **{"Accept-Language": "en"}).post(CONTACTS)

    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (403, "AUTH_INSUFFICIENT_SCOPE")
    assert origin in error["message"]
    assert "allowed_origins" in error["message"]
    assert ALLOW not in reply.headers


async def test_a_key_without_origins_is_for_no_page(acme: Organization) -> None:
    assert (await at(acme, acme.made.keys.live_publishable, PAGE).post(CONTACTS)).status_code == 403


async def test_without_an_origin_it_is_no_page(acme: Organization, key: dict[str, Any]) -> None:
    reply = await acme.world.client(key["key"]).post(CONTACTS)

    assert reply.status_code == 200
    assert [name for name in reply.headers if name.startswith("access-control")] == []


async def test_an_allowed_page_reads_refusals(acme: Organization, key: dict[str, Any]) -> None:
    page = at(acme, key["key"], PAGE)

    replies = [
        await page.post("/v1/contacts/create", {"name": "x"}),
        await page.post("/v1/contacts/get", {"id": "ct_missing"}),
        await page.post("/v1/nowhere"),
        await page.post(CONTACTS, {"page": 0}),
    ]

    assert [reply.status_code for reply in replies] == [403, 404, 404, 400]
    assert {reply.headers[ALLOW] for reply in replies} == {PAGE}


async def test_a_page_learns_that_its_key_is_dead(
    acme: Organization, key: dict[str, Any], clock: MovableClock, owner: psycopg.Connection
) -> None:
    owner.execute("update api_keys set expires_at = %s where id = %s", (clock.now(), key["id"]))
    expired = await at(acme, key["key"], PAGE).post(CONTACTS)
    await acme.live.call("/v1/keys/revoke", {"id": key["id"]})
    revoked = await at(acme, key["key"], PAGE).post(CONTACTS)

    assert [reply.json()["error"]["code"] for reply in (expired, revoked)] == [
        "AUTH_EXPIRED_TOKEN", "AUTH_INVALID_TOKEN",
    ]  # fmt: skip
    assert [(reply.status_code, reply.headers[ALLOW]) for reply in (expired, revoked)] == [(401, PAGE)] * 2


async def test_a_page_learns_that_it_asks_too_often(acme: Organization, owner: psycopg.Connection) -> None:
    key = await made_key(acme.live, type="publishable", allowed_origins=[PAGE])
    owner.execute("update organizations set requests_per_minute = 1 where id = %s", (acme.id,))
    page = at(acme, key["key"], PAGE)

    replies = [await page.post(CONTACTS), await page.post(CONTACTS)]

    assert [reply.status_code for reply in replies] == [200, 429]
    assert {reply.headers[ALLOW] for reply in replies} == {PAGE}
    assert "retry-after" in replies[1].headers


async def test_a_change_of_origins_holds_at_once(acme: Organization, key: dict[str, Any]) -> None:
    await acme.live.call("/v1/keys/update", {"id": key["id"], "allowed_origins": [OTHER]})

    assert (await at(acme, key["key"], OTHER).post(CONTACTS)).status_code == 200
    assert (await at(acme, key["key"], PAGE).post(CONTACTS)).status_code == 403


async def test_the_successor_of_a_key_serves_the_same_pages(acme: Organization, key: dict[str, Any]) -> None:
    new = await acme.live.call(ROTATE, {"id": key["id"]})

    assert (await at(acme, new["key"], PAGE).post(CONTACTS)).headers[ALLOW] == PAGE


async def test_a_secret_key_in_a_page_works_but_the_page_reads_nothing(acme: Organization) -> None:
    with capture_logs() as logs:
        reply = await at(acme, acme.made.keys.live_secret, PAGE).post(CONTACTS)

    assert (reply.status_code, reply.headers["bivelio-warning"]) == (200, "secret-key-in-browser")
    assert [name for name in reply.headers if name.startswith("access-control")] == []
    [warning] = [line for line in logs if line["event"] == "secret_key_in_browser"]
    assert (warning["log_level"], warning["origin"]) == ("warning", PAGE)
    assert acme.made.keys.live_secret not in str(logs)


async def test_the_audit_log_tells_of_it_once_a_day(
    acme: Organization, services: Services, installation: Installation, clock: MovableClock
) -> None:
    async with client_of(services, installation) as other_process:
        pages = [
            at(acme, acme.made.keys.live_secret, PAGE),
            Client(other_process, {"X-API-Key": acme.made.keys.live_secret, "Origin": PAGE}),
        ]
        for page in [*pages, *pages]:
            await page.call(CONTACTS)
        first = await told(acme)
        clock.advance(days=1)
        await pages[1].call(CONTACTS)

        assert len(first) == 1
        assert (first[0]["resource_type"], first[0]["after"]) == ("api_keys", {"origin": PAGE})
        assert len(await told(acme)) == 2
        notices = (await acme.live.call("/v1/notices/list"))["notices"]
        assert [notice["kind"] for notice in notices] == ["key.in_browser"] * 2
        assert PAGE in notices[0]["text"]["en"]


async def told(organization: Organization) -> list[dict[str, Any]]:
    entries = (await organization.live.call("/v1/audit/list"))["entries"]
    return [entry for entry in entries if entry["operation"] == "keys.secret_in_browser"]


@pytest.mark.parametrize(
    ("origin", "host"), [("https://crm.acme.test", "bivelio.test"), ("http://bivelio.test:8000", "bivelio.test:8000")]
)
async def test_our_own_page_is_at_home(
    acme: Organization, services: Services, installation: Installation, origin: str, host: str
) -> None:
    settings = services.settings.model_copy(update={"public_url": "https://crm.acme.test/"})
    async with client_of(replace(services, settings=settings), installation) as http:
        headers = {"Origin": origin, "Host": host}
        secret = await Client(http, {"X-API-Key": acme.made.keys.live_secret, **headers}).post(CONTACTS)
        publishable = await Client(http, {"X-API-Key": acme.made.keys.live_publishable, **headers}).post(CONTACTS)
        token = (await acme.sign_in())["access_token"]
        person = await Client(http, {"Authorization": f"Bearer {token}", **headers}).post(CONTACTS)

    assert [reply.status_code for reply in (secret, publishable, person)] == [200, 200, 200]
    assert "bivelio-warning" not in secret.headers


async def test_a_signed_in_person_is_no_key(acme: Organization) -> None:
    token = (await acme.sign_in())["access_token"]

    reply = await Client(acme.world.http, {"Authorization": f"Bearer {token}", "Origin": PAGE}).post(CONTACTS)

    assert reply.status_code == 200
    assert ALLOW not in reply.headers
    assert "bivelio-warning" not in reply.headers
