"""Limits: so many requests a minute and a second by plan, told in every reply, and exact."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import httpx2
import psycopg
import pytest

from bivelio_server.app import create_app
from bivelio_server.installation import Installation
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.context import Services
from tests.permissions.tables import rows_of
from tests.world import PASSWORD, Client, Organization, World

pytestmark = pytest.mark.anyio

CONTACTS, CREATE = "/v1/contacts", "/v1/contacts/create"
PER_MINUTE, PER_SECOND = 100, 20
HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
OFFICE, STRANGER = "203.0.113.5", "198.51.100.9"


class StandingClock(Clock):
    """Windows are counted by the clock, so nothing passes here but what a test says."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@pytest.fixture
def standing(services: Services) -> StandingClock:
    return StandingClock(services.clock.now().replace(microsecond=0))


@pytest.fixture
def bounded(services: Services, standing: StandingClock) -> Services:
    """By that clock; strangers may send five requests a minute, three of them in one second."""
    settings = services.settings.model_copy(
        update={
            "anonymous_per_minute": 5,
            "anonymous_per_second": 3,
            "trusted_proxies": (ip_network("10.0.0.0/8"),),
        }
    )
    return replace(services, clock=standing, settings=settings)


@pytest.fixture
async def office(bounded: Services, installation: Installation) -> AsyncIterator[httpx2.AsyncClient]:
    async with seen_from(OFFICE, bounded, installation) as client:
        yield client


@pytest.fixture(autouse=True)
def forgotten_addresses(owner: psycopg.Connection) -> Iterator[None]:
    owner.execute("delete from address_windows")
    yield
    owner.execute("delete from address_windows")


@pytest.fixture
def starter(world: World) -> Organization:
    """Of the smallest plan: 100 requests a minute, 20 of them in one second."""
    return world.organization("Starter", plan="starter")


@asynccontextmanager
async def seen_from(address: str, services: Services, installation: Installation) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose connection comes from that address, to an application of its own."""
    transport = httpx2.ASGITransport(app=create_app(services, installation), client=(address, 50000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as client:
        yield client


def of(http: httpx2.AsyncClient, client: Client) -> Client:
    """The same credentials at the application of this test."""
    return Client(http, client.headers)


async def sign_in(http: httpx2.AsyncClient, organization: Organization, password: str) -> httpx2.Response:
    body = {"email": organization.email, "password": password}
    return await http.post("/v1/auth/token?grant_type=password", json=body)


async def spend(client: Client, requests: int, clock: StandingClock) -> httpx2.Response:
    """The reply to the last of so many requests, never more than a second's worth at once."""
    for number in range(requests):
        if number and number % PER_SECOND == 0:
            clock.advance(1)
        reply = await client.post(CONTACTS)
        assert reply.status_code == 200, reply.text
    return reply


def shown(reply: httpx2.Response) -> tuple[int, int, int]:
    limit, remaining, reset = (int(reply.headers[name]) for name in HEADERS)
    return limit, remaining, reset


async def test_every_reply_counts_down(
    office: httpx2.AsyncClient, starter: Organization, standing: StandingClock
) -> None:
    client, reader = of(office, starter.live), of(office, starter.key("read"))
    reset = int(standing.now().timestamp()) + 60

    async def post(content: bytes, media_type: str = "application/json") -> httpx2.Response:
        return await office.post(CREATE, content=content, headers={**client.headers, "Content-Type": media_type})

    replies = [
        await client.post(CONTACTS),
        await client.post(CONTACTS, {"page": 0}),
        await reader.post(CREATE, {"name": "x"}),
        await client.post("/v1/contacts/get", {"id": "ct_missing"}),
        await client.post("/v1/nowhere"),
        await office.get(CONTACTS, headers=client.headers),
        await post(b" " * 1_048_577),
        await post(b"{}", "text/plain"),
        await post(b"{"),
        await client.post(CREATE, {"name": "x", "company_id": "ct_missing"}),
    ]

    assert [reply.status_code for reply in replies] == [200, 400, 403, 404, 404, 405, 413, 415, 400, 404]
    assert [shown(reply) for reply in replies] == [(100, 99 - number, reset) for number in range(len(replies))]


async def test_beyond_the_minute_it_is_refused_as_documented(
    office: httpx2.AsyncClient, starter: Organization, standing: StandingClock
) -> None:
    client = of(office, starter.live)
    start = standing.now()
    last = await spend(client, PER_MINUTE, standing)
    standing.advance(33)

    reply = await client.post(CONTACTS)

    assert shown(last)[1] == 0
    assert reply.status_code == 429
    assert reply.json() == {
        "success": False,
        "error": {
            "code": "RATE_LIMIT_EXCEEDED",
            "message": "Has excedido el límite de 100 peticiones por minuto.",
            "retry_after": 23,
        },
    }
    assert reply.headers["retry-after"] == "23"
    assert shown(reply) == (100, 0, int(start.timestamp()) + 60)


async def test_waiting_as_told_is_enough_and_one_second_less_is_not(
    office: httpx2.AsyncClient, starter: Organization, standing: StandingClock
) -> None:
    client = of(office, starter.live)
    await spend(client, PER_MINUTE, standing)
    told = int((await client.post(CONTACTS)).headers["retry-after"])
    standing.advance(told - 1)
    assert (await client.post(CONTACTS)).status_code == 429

    standing.advance(1)
    reply = await client.post(CONTACTS)

    assert (reply.status_code, shown(reply)[1]) == (200, PER_MINUTE - 1)


async def test_a_burst_is_refused_and_takes_nothing_from_the_minute(
    office: httpx2.AsyncClient, starter: Organization, standing: StandingClock
) -> None:
    client = of(office, starter.live)
    await spend(client, PER_SECOND, standing)

    refused = [await client.post(CONTACTS) for _ in range(5)]
    standing.advance(1)
    reply = await client.post(CONTACTS)

    assert {(reply.status_code, reply.headers["retry-after"]) for reply in refused} == {(429, "1")}
    assert {shown(reply)[1] for reply in refused} == {PER_MINUTE - PER_SECOND}
    assert "20" in refused[0].json()["error"]["message"]
    assert (reply.status_code, shown(reply)[1]) == (200, PER_MINUTE - PER_SECOND - 1)


async def test_of_many_at_once_exactly_as_many_as_allowed_come_in(
    office: httpx2.AsyncClient, starter: Organization
) -> None:
    client = of(office, starter.live)

    replies = await asyncio.gather(*(client.post(CONTACTS) for _ in range(60)))

    assert sorted(reply.status_code for reply in replies) == [200] * PER_SECOND + [429] * 40


async def test_all_credentials_of_an_environment_share_one_window(
    office: httpx2.AsyncClient, starter: Organization
) -> None:
    signed_in = await sign_in(office, starter, PASSWORD)
    person = starter.world.bearer(signed_in.json()["access_token"])
    clients = [starter.live, starter.key("read"), starter.publishable, person]

    replies = [await of(office, client).post(CONTACTS) for client in clients]

    assert [shown(reply)[1] for reply in replies] == [99, 98, 97, 96]


async def test_the_sandbox_and_other_organizations_have_windows_of_their_own(
    office: httpx2.AsyncClient, starter: Organization, world: World
) -> None:
    other = world.organization("Other", plan="starter")

    replies = [await of(office, client).post(CONTACTS) for client in (starter.live, starter.sandbox, other.live)]

    assert [shown(reply)[1] for reply in replies] == [99, 99, 99]


async def test_a_refused_request_changes_nothing(
    office: httpx2.AsyncClient, starter: Organization, owner: psycopg.Connection, standing: StandingClock
) -> None:
    client = of(office, starter.live)
    await spend(client, PER_SECOND, standing)
    before = rows_of(owner, starter.id)

    headers = {**client.headers, "Idempotency-Key": "later"}
    refused = await Client(office, headers).post(CREATE, {"name": "Ana"})

    assert refused.status_code == 429
    assert rows_of(owner, starter.id) == before
    standing.advance(1)
    assert (await Client(office, headers).post(CREATE, {"name": "Ana"})).status_code == 200


async def test_enterprise_has_no_limit_and_no_headers(office: httpx2.AsyncClient, acme: Organization) -> None:
    replies = [await of(office, acme.live).post(CONTACTS) for _ in range(PER_SECOND * 2)]

    assert {reply.status_code for reply in replies} == {200}
    assert [name for name in replies[0].headers if name.startswith("x-ratelimit")] == []


async def test_a_limit_of_its_own_is_shown_and_kept(
    office: httpx2.AsyncClient, acme: Organization, owner: psycopg.Connection
) -> None:
    owner.execute("update organizations set requests_per_minute = 2 where id = %s", (acme.id,))

    replies = [await of(office, acme.live).post(CONTACTS) for _ in range(3)]

    assert [(reply.status_code, *shown(reply)[:2]) for reply in replies] == [(200, 2, 1), (200, 2, 0), (429, 2, 0)]


async def test_another_plan_holds_from_the_next_request(
    office: httpx2.AsyncClient, starter: Organization, owner: psycopg.Connection
) -> None:
    await of(office, starter.live).post(CONTACTS)
    owner.execute("update organizations set plan = 'pro' where id = %s", (starter.id,))

    assert shown(await of(office, starter.live).post(CONTACTS))[:2] == (500, 498)


async def test_who_has_no_credentials_counts_by_address(
    office: httpx2.AsyncClient, bounded: Services, installation: Installation, standing: StandingClock
) -> None:
    anonymous = Client(office, {})
    replies = [await anonymous.post(CONTACTS) for _ in range(4)]
    standing.advance(1)
    replies += [await anonymous.post(CONTACTS) for _ in range(3)]

    async with seen_from(STRANGER, bounded, installation) as elsewhere:
        other = await Client(elsewhere, {}).post(CONTACTS)

    assert [reply.status_code for reply in replies] == [401, 401, 401, 429, 401, 401, 429]
    assert [shown(reply)[:2] for reply in replies] == [(5, 4), (5, 3), (5, 2), (5, 2), (5, 1), (5, 0), (5, 0)]
    assert [replies[3].headers["retry-after"], replies[6].headers["retry-after"]] == ["1", "59"]
    assert (other.status_code, shown(other)[1]) == (401, 4)


async def test_a_bad_credential_is_none_and_a_good_one_is_not_held_up(
    office: httpx2.AsyncClient, starter: Organization
) -> None:
    wrong = starter.made.keys.live_secret[:-1] + "_"
    replies = [await Client(office, {"X-API-Key": wrong}).post(CONTACTS) for _ in range(4)]

    good = await of(office, starter.live).post(CONTACTS)

    assert [reply.status_code for reply in replies] == [401, 401, 401, 429]
    assert (good.status_code, shown(good)[:2]) == (200, (100, 99))


async def test_signing_in_counts_by_address_too(office: httpx2.AsyncClient, starter: Organization) -> None:
    replies = [
        await sign_in(office, starter, PASSWORD),
        await sign_in(office, starter, "wrong"),
        await office.get("/v1/auth/token"),
        await sign_in(office, starter, PASSWORD),
    ]

    assert [reply.status_code for reply in replies] == [200, 401, 405, 429]
    assert [shown(reply)[:2] for reply in replies] == [(5, 4), (5, 3), (5, 2), (5, 2)]


async def test_networks_of_six_count_as_one(bounded: Services, installation: Installation) -> None:
    replies = []
    for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
        async with seen_from(address, bounded, installation) as client:
            replies.append(await Client(client, {}).post(CONTACTS))

    assert [shown(reply)[1] for reply in replies] == [4, 3, 4]


@pytest.mark.parametrize(
    ("connection", "forwarded", "remaining"),
    [
        (OFFICE, STRANGER, 3),  # nobody but our proxy is believed
        ("10.1.2.3", OFFICE, 3),
        ("10.1.2.3", f"{STRANGER}, {OFFICE}", 3),  # what the caller itself wrote stands before what the proxy adds
        ("10.1.2.3", f"{OFFICE}, 10.9.9.9", 3),  # two proxies of ours
        ("10.1.2.3", STRANGER, 4),
        ("10.1.2.3", None, 4),
    ],
)
async def test_only_our_proxies_say_where_a_request_comes_from(
    office: httpx2.AsyncClient,
    bounded: Services,
    installation: Installation,
    connection: str,
    forwarded: str | None,
    remaining: int,
) -> None:
    """One request has come from the office already."""
    await Client(office, {}).post(CONTACTS)
    headers: dict[str, Any] = {"X-Forwarded-For": forwarded} if forwarded else {}
    async with seen_from(connection, bounded, installation) as client:
        reply = await Client(client, headers).post(CONTACTS)

    assert shown(reply)[1] == remaining


async def test_a_forged_address_gets_nobody_further(office: httpx2.AsyncClient) -> None:
    replies = [await Client(office, {"X-Forwarded-For": f"192.0.2.{number}"}).post(CONTACTS) for number in range(6)]

    assert [reply.status_code for reply in replies] == [401] * 3 + [429] * 3


async def test_what_is_below_no_version_is_not_counted(office: httpx2.AsyncClient) -> None:
    replies = [await office.get("/livez") for _ in range(6)]

    assert {reply.status_code for reply in replies} == {200}
    assert "x-ratelimit-limit" not in replies[0].headers
