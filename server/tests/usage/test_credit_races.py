"""A thousand races for too few credits: whoever wins, never more is taken than there is."""

import asyncio
import random
from collections import Counter

import psycopg
import pytest

from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import CreditsExhausted
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.usage.credits import LEASE, Ledger, refund_lapsed
from tests.usage.arranging import credits_of, give_credits
from tests.world import Organization

pytestmark = pytest.mark.anyio

ORIGIN = Origin(Door.http)
LEDGER = Ledger()
RACES = 1000
#: More than there are connections would only wait for one, and be refused after a while.
AT_ONCE = 16


def caller_of(organization: Organization) -> Caller:
    user_id = organization.id
    return Caller(organization.id, Environment.live, f"user:{user_id}", user_id, frozenset({"admin"}))


async def test_concurrent_spending_never_takes_more_than_there_is(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    give_credits(acme, RACES)
    chance = random.Random(57)
    outcomes: Counter[str] = Counter()
    places = asyncio.Semaphore(AT_ONCE)

    async def race(amount: int, way: str) -> None:
        async with places:
            try:
                if way == "spend":
                    await _spend(services, acme, amount)
                else:
                    await _reserve_and(way, services, acme, amount)
                outcomes[way] += amount if way == "spend" else amount // 2 if way == "settle" else 0
            except CreditsExhausted:
                outcomes["refused"] += 1

    await asyncio.gather(
        *(race(chance.randint(1, 6), chance.choice(["spend", "settle", "refund"])) for _ in range(RACES))
    )

    taken = outcomes["spend"] + outcomes["settle"]
    assert await credits_of(acme.live) == (taken, 0, RACES - taken)
    assert outcomes["refused"] > 0
    assert RACES - taken < 6
    in_ledger = owner.execute(
        "select sum(settled_amount), count(*) filter (where state = 'reserved') from credit_entries where org_id = %s",
        (acme.id,),
    ).fetchone()
    assert in_ledger == (taken, 0)


async def test_a_reservation_is_settled_once_however_many_try(acme: Organization, services: Services) -> None:
    reservation = await _reserve(services, acme, 5)

    async def settle(amount: int) -> None:
        async with transaction(caller_of(acme), services, ORIGIN) as context:
            await LEDGER.settle(context, reservation, amount)

    async def refund() -> None:
        async with transaction(caller_of(acme), services, ORIGIN) as context:
            await LEDGER.refund(context, reservation)

    await settle(4)
    await asyncio.gather(*(settle(5) for _ in range(8)), *(refund() for _ in range(8)))

    assert await credits_of(acme.live) == (4, 0, 49_996)


async def test_reserving_under_one_id_is_reserving_once(acme: Organization, services: Services) -> None:
    await asyncio.gather(*(_reserve(services, acme, 5, "cr_same") for _ in range(8)))

    assert await credits_of(acme.live) == (0, 5, 49_995)


async def test_what_was_refunded_is_reserved_again_under_its_id(acme: Organization, services: Services) -> None:
    reservation = await _reserve(services, acme, 5)
    async with transaction(caller_of(acme), services, ORIGIN) as context:
        await LEDGER.refund(context, reservation)

    await _reserve(services, acme, 5, reservation)

    assert await credits_of(acme.live) == (0, 5, 49_995)


async def test_a_late_settlement_takes_what_is_left(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    """Its lease had ended, and others have spent what it had set aside."""
    give_credits(acme, 6)
    reservation = await _reserve(services, acme, 5)
    clock.advance(seconds=LEASE.total_seconds() + 1)
    await refund_lapsed(services)
    await _spend(services, acme, 4)

    async with transaction(caller_of(acme), services, ORIGIN) as context:
        await LEDGER.settle(context, reservation, 5)

    assert await credits_of(acme.live) == (6, 0, 0)


async def test_a_reservation_that_is_renewed_does_not_lapse(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    reservation = await _reserve(services, acme, 5)
    clock.advance(seconds=LEASE.total_seconds() - 60)
    await _reserve(services, acme, 5, reservation)
    clock.advance(seconds=120)

    await refund_lapsed(services)

    assert await credits_of(acme.live) == (0, 5, 49_995)


async def test_another_organization_settles_nothing(
    acme: Organization, rival: Organization, services: Services
) -> None:
    reservation = await _reserve(services, acme, 5)

    async with transaction(caller_of(rival), services, ORIGIN) as context:
        await LEDGER.settle(context, reservation, 5)
        await LEDGER.refund(context, reservation)

    assert await credits_of(acme.live) == (0, 5, 49_995)
    assert await credits_of(rival.live) == (0, 0, 50_000)


async def _spend(services: Services, organization: Organization, amount: int) -> None:
    async with transaction(caller_of(organization), services, ORIGIN) as context:
        await LEDGER.spend(context, "shop.buy", amount)


async def _reserve(
    services: Services, organization: Organization, amount: int, reservation_id: str | None = None
) -> str:
    async with transaction(caller_of(organization), services, ORIGIN) as context:
        return await LEDGER.reserve(context, "shop.order", amount, reservation_id=reservation_id)


async def _reserve_and(way: str, services: Services, organization: Organization, amount: int) -> None:
    reservation = await _reserve(services, organization, amount)
    async with transaction(caller_of(organization), services, ORIGIN) as context:
        if way == "settle":
            await LEDGER.settle(context, reservation, amount // 2)
        else:
            await LEDGER.refund(context, reservation)
