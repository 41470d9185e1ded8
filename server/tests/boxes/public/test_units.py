"""Intelligence units: one a search, never more than there are, none for an answer that failed."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from bivelio_server.boxes.retrieval import searching
from bivelio_server.boxes.units import UnitsExhausted, require_unit, spend_unit
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused, NotFound
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from tests.boxes.public.arranging import Asker, Scripted, asker, give_units, make_box, make_key, outcome
from tests.world import Client, Organization, World

pytestmark = pytest.mark.anyio

ORIGIN = Origin(Door.http)
AT_ONCE = 100


async def test_a_search_costs_one_and_reading_none(acme: Organization, scripted: Scripted) -> None:
    box, key = make_box(acme), asker(acme)

    await key.retrieve(box)
    await key.retrieve(box)
    await key.read(box, "file_1")
    await key.check()

    assert await units_of(acme.live) == (2, 100_000 - 2)


@pytest.mark.parametrize(("plan", "allowance"), [("starter", 1_000), ("pro", 10_000), ("enterprise", 100_000)])
async def test_a_plan_gives_so_many_a_month(world: World, plan: str, allowance: int) -> None:
    usage = await world.organization("Acme", plan).live.call("/v1/boxes/usage")

    assert (usage["allowance"], usage["used"], usage["remaining"]) == (allowance, 0, allowance)


async def test_the_month_is_the_organizations(acme: Organization, services: Services) -> None:
    acme.world.database.execute("update organizations set timezone = 'Pacific/Auckland' where id = %s", (acme.id,))

    usage = await acme.live.call("/v1/boxes/usage")

    resets_at = datetime.fromisoformat(usage["resets_at"]).astimezone(UTC)
    assert resets_at.hour in (11, 12)
    assert usage["month"] == f"{services.clock.now():%Y-%m}" or resets_at > services.clock.now()


@pytest.mark.parametrize("failure", [ZeroDivisionError(), IntegrationFailed(), IntegrationRefused(), NotFound()])
async def test_an_answer_that_fails_spends_none(acme: Organization, scripted: Scripted, failure: Exception) -> None:
    box = make_box(acme)
    scripted.failing.append(failure)

    reply = await asker(acme).retrieve(box)

    assert reply.status_code in (403, 500, 503)
    assert await units_of(acme.live) == (0, 100_000)


async def test_one_whose_box_goes_meanwhile_spends_none(
    acme: Organization, scripted: Scripted, monkeypatch: pytest.MonkeyPatch, owner: psycopg.Connection
) -> None:
    box = make_box(acme)

    async def embed(*_: Any) -> str:
        owner.execute("delete from box_members where box_id = %s", (box,))
        return "vector"

    monkeypatch.setattr(searching, "embed", embed)

    assert outcome(await asker(acme).retrieve(box)) == (403, "B3002")
    assert await units_of(acme.live) == (0, 100_000)


async def test_a_refused_request_spends_none(acme: Organization, scripted: Scripted) -> None:
    box, key = make_box(acme), asker(acme)

    await key.retrieve(box, "")
    await key.retrieve("box_unknown")

    assert await units_of(acme.live) == (0, 100_000)


async def test_a_hundred_at_once_take_no_more_than_there_are(acme: Organization, scripted: Scripted) -> None:
    box = make_box(acme)
    give_units(acme, 30)
    keys = [asker(acme) for _ in range(4)]

    replies = await asyncio.gather(*(keys[number % 4].retrieve(box) for number in range(AT_ONCE)))

    assert Counter(reply.status_code for reply in replies) == {200: 30, 402: 70}
    assert await units_of(acme.live) == (30, 0)


async def test_spending_is_exact_even_when_everybody_has_looked_before(acme: Organization, services: Services) -> None:
    give_units(acme, 20)
    outcomes: Counter[str] = Counter()
    places = asyncio.Semaphore(16)  # more than there are connections would only wait for one

    async def search(fails: bool) -> None:
        try:
            async with places, transaction(caller_of(acme), services, ORIGIN) as context:
                await spend_unit(context)
                require(not fails)
            outcomes["spent"] += 1
        except UnitsExhausted:
            outcomes["refused"] += 1
        except NotFound:
            outcomes["failed"] += 1

    await asyncio.gather(*(search(number % 5 == 0) for number in range(AT_ONCE)))

    assert outcomes["spent"] == 20
    assert outcomes.total() == AT_ONCE
    assert await units_of(acme.live) == (20, 0)


async def test_a_larger_allowance_counts_at_once_and_a_smaller_one_takes_nothing_back(
    acme: Organization, services: Services
) -> None:
    give_units(acme, 2)
    for _ in range(2):
        async with transaction(caller_of(acme), services, ORIGIN) as context:
            await spend_unit(context)

    give_units(acme, 1)
    assert await units_of(acme.live) == (2, 0)
    give_units(acme, 3)

    async with transaction(caller_of(acme), services, ORIGIN) as context:
        await require_unit(context)
    assert await units_of(acme.live) == (2, 1)


async def test_the_sandbox_counts_and_deducts_nothing(acme: Organization, scripted: Scripted) -> None:
    box = make_box(acme, "sandbox")
    give_units(acme, 1)
    key = Asker(acme.world.http, make_key(acme, environment="sandbox"))

    replies = [await key.retrieve(box) for _ in range(3)]

    assert [reply.status_code for reply in replies] == [200] * 3
    assert await units_of(acme.sandbox) == (3, 1)
    assert await units_of(acme.live) == (0, 1)


async def test_by_an_ordinary_operation_a_shortage_is_told_as_that_of_credits(
    acme: Organization, services: Services
) -> None:
    give_units(acme, 0)

    with pytest.raises(UnitsExhausted) as refused:
        async with transaction(caller_of(acme), services, ORIGIN) as context:
            await require_unit(context)

    assert (refused.value.status, refused.value.code) == (403, "CREDITS_EXHAUSTED")
    assert refused.value.details["available"] == 0
    assert refused.value.details["resets_at"] > services.clock.now()


def require(works: bool) -> None:
    if not works:
        raise NotFound


def caller_of(organization: Organization) -> Caller:
    user_id = organization.owner_id
    return Caller(organization.id, Environment.live, f"user:{user_id}", user_id, frozenset({"admin"}))


async def units_of(client: Client) -> tuple[int, int]:
    """Used, and left."""
    usage = await client.call("/v1/boxes/usage")
    return usage["used"], usage["remaining"]
