"""Limits of the public API: 100 requests a minute for each key, 15 000 a day for each user, both or neither."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import psycopg
import pytest

from bivelio_server.app import create_app
from bivelio_server.boxes.public.admission import PER_DAY, PER_MINUTE
from bivelio_server.installation import Installation
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.context import Services
from tests.boxes.public.arranging import Asker, error_of, limits_of, make_key, outcome
from tests.world import Organization, World

pytestmark = pytest.mark.anyio


class StandingClock(Clock):
    """Windows are counted by the clock, so nothing passes here but what a test says."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC).replace(microsecond=0)

    def now(self) -> datetime:
        return self._now

    def advance(self, **by: float) -> None:
        self._now += timedelta(**by)


@pytest.fixture
def standing() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def bounded(
    services: Services, installation: Installation, standing: StandingClock
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = services.settings.model_copy(update={"anonymous_per_minute": 5, "anonymous_per_second": 5})
    app = create_app(replace(services, clock=standing, settings=settings), installation)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://limits.test") as client:
        yield client


@pytest.fixture
def key(acme: Organization, bounded: httpx2.AsyncClient) -> Asker:
    return Asker(bounded, make_key(acme))


async def test_every_reply_tells_five_figures(key: Asker, standing: StandingClock) -> None:
    await key.check()
    standing.advance(seconds=10)

    told = limits_of(await key.check())

    began = int(standing.now().timestamp()) - 10
    assert told == {
        "hits": 2, "remaining-key": PER_MINUTE - 2, "remaining-user": PER_DAY - 2, "reset-key": began + 60,
        "reset-user": began + 24 * 3600,
    }  # fmt: skip


async def test_refused_requests_count_too_but_those_of_the_limit_itself(key: Asker) -> None:
    assert limits_of(await key.ask("nowhere", {}))["hits"] == 1
    assert limits_of(await key.retrieve("box_1"))["hits"] == 2


async def test_the_minute_of_a_key_ends_and_begins_anew(
    acme: Organization, key: Asker, standing: StandingClock, owner: psycopg.Connection
) -> None:
    await asyncio.gather(*(key.check() for _ in range(PER_MINUTE)))
    standing.advance(seconds=20)

    refused = await key.check()
    still = await key.check()
    standing.advance(seconds=40)
    again = await key.check()

    assert outcome(refused) == outcome(still) == (429, "B3108")
    assert refused.headers["retry-after"] == "40"
    assert error_of(refused)["summary"] == "Too many requests"
    assert limits_of(refused)["hits"] == PER_MINUTE
    # What was refused counts for nothing, the window of the user included.
    assert limits_of(refused)["remaining-user"] == PER_DAY - PER_MINUTE
    assert again.status_code == 200
    assert (limits_of(again)["hits"], limits_of(again)["remaining-user"]) == (1, PER_DAY - PER_MINUTE - 1)


async def test_a_user_has_one_window_for_all_keys_and_it_charges_no_key(
    acme: Organization, key: Asker, bounded: httpx2.AsyncClient, standing: StandingClock
) -> None:
    other, somebody_else = Asker(bounded, make_key(acme)), Asker(bounded, make_key(acme, acme.member("viewer")))
    await key.check()
    used(acme, PER_DAY - 1)

    last = await other.check()
    refused = [await other.check(), await key.check()]
    standing.advance(hours=23, minutes=59)
    still = await key.check()
    standing.advance(minutes=1)
    next_day = await key.check()

    assert (last.status_code, limits_of(last)["remaining-user"]) == (200, 0)
    assert [outcome(reply) for reply in refused] == [(429, "B3108")] * 2
    assert [limits_of(reply)["hits"] for reply in refused] == [1, 1]
    assert refused[0].headers["retry-after"] == str(24 * 3600)
    assert "15000" in error_of(refused[0])["cause"]
    assert outcome(still) == (429, "B3108")
    assert limits_of(still)["hits"] == 0
    assert still.headers["retry-after"] == "60"
    assert (next_day.status_code, limits_of(next_day)["remaining-user"]) == (200, PER_DAY - 1)
    assert (await somebody_else.check()).status_code == 200


async def test_many_at_once_are_counted_exactly(acme: Organization, key: Asker) -> None:
    replies = await asyncio.gather(*(key.check() for _ in range(3 * PER_MINUTE)))

    assert Counter(reply.status_code for reply in replies) == {200: PER_MINUTE, 429: 2 * PER_MINUTE}
    taken = [limits_of(reply)["hits"] for reply in replies if reply.status_code == 200]
    assert sorted(taken) == list(range(1, PER_MINUTE + 1))
    assert min(limits_of(reply)["remaining-user"] for reply in replies) == PER_DAY - PER_MINUTE


async def test_two_keys_of_a_user_at_once_share_what_is_left_of_the_day(
    acme: Organization, key: Asker, bounded: httpx2.AsyncClient
) -> None:
    other = Asker(bounded, make_key(acme))
    await key.check()
    used(acme, PER_DAY - 30)

    replies = await asyncio.gather(*(each.check() for each in (key, other) for _ in range(50)))

    assert Counter(reply.status_code for reply in replies) == {200: 30, 429: 70}


async def test_whose_key_does_not_work_counts_by_address(world: World, bounded: httpx2.AsyncClient) -> None:
    world.database.execute("delete from address_windows")
    stranger = Asker(bounded, None)

    replies = [await stranger.check() for _ in range(6)]

    assert [reply.status_code for reply in replies] == [401] * 5 + [429]
    assert outcome(replies[5]) == (429, "B3108")
    assert [limits_of(reply)["remaining-key"] for reply in replies] == [4, 3, 2, 1, 0, 0]
    assert limits_of(replies[4])["hits"] == 5
    assert {limits_of(reply)["remaining-user"] for reply in replies} == {0}
    assert int(replies[5].headers["retry-after"]) <= 60


async def test_the_limits_of_the_organization_are_not_touched(acme: Organization, key: Asker) -> None:
    acme.world.database.execute("update organizations set requests_per_minute = 5 where id = %s", (acme.id,))
    await asyncio.gather(*(key.check() for _ in range(10)))

    assert (await acme.live.call("/v1/usage/limits"))["remaining"] == 4


def used(organization: Organization, requests: int) -> None:
    """So many of the owner's requests of this day."""
    organization.world.database.execute(
        "update box_user_windows set hits = %s where org_id = %s", (requests, organization.id)
    )
