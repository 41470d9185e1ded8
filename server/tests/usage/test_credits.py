"""Credits: taken with the effect that they pay for, given back with a call that failed."""

import asyncio
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import CreditsExhausted, IntegrationFailed, IntegrationRefused, NotFound
from bivelio_server.kit.operations import Operation
from bivelio_server.usage.credits import LEASE, refund_lapsed
from tests.usage.arranging import credits_of, entries, give_credits
from tests.usage.conftest import Visit
from tests.usage.shops import PRICE, Shop, until_set
from tests.world import Organization, World

pytestmark = pytest.mark.anyio

BUY, ORDER = "/v1/shop/buy", "/v1/shop/order"


async def fail_for_now() -> None:
    raise IntegrationFailed


async def refuse() -> None:
    raise IntegrationRefused


async def mistake() -> None:
    raise ZeroDivisionError


async def vanish() -> None:
    raise NotFound


async def stop() -> None:
    raise asyncio.CancelledError


class Crash(BaseException):
    """Nobody comes to do anything after it."""


async def crash() -> None:
    raise Crash


@pytest.mark.parametrize("path", [BUY, ORDER])
async def test_an_operation_takes_what_it_declares(visit: Visit, acme: Organization, path: str) -> None:
    reply = await visit(acme.live).post(path, {})

    [entry] = await entries(acme.live)
    assert reply.json()["data"] == {"credits_consumed": PRICE}
    assert await credits_of(acme.live) == (PRICE, 0, 50_000 - PRICE)
    assert (entry["amount"], entry["settled_amount"], entry["state"]) == (PRICE, PRICE, "settled")
    assert (entry["operation"], entry["environment"]) == (path.removeprefix("/v1/").replace("/", "."), "live")
    assert entry["request_id"] == reply.headers["x-request-id"]
    assert entry["actor"] == f"key:{entry['key_id']}"


@pytest.mark.parametrize("path", [BUY, ORDER])
@pytest.mark.parametrize("charged", [0, 1])
async def test_an_operation_may_charge_less(visit: Visit, acme: Organization, path: str, charged: int) -> None:
    receipt = await visit(acme.live).call(path, {"charged": charged})

    assert receipt == {"credits_consumed": charged}
    assert await credits_of(acme.live) == (charged, 0, 50_000 - charged)


async def test_no_operation_charges_more_than_it_declares(visit: Visit, acme: Organization) -> None:
    reply = await visit(acme.live).post(BUY, {"charged": PRICE + 1})

    assert reply.status_code == 500
    assert await credits_of(acme.live) == (0, 0, 50_000)


@pytest.mark.parametrize("path", [BUY, ORDER])
async def test_without_credits_nothing_happens(visit: Visit, acme: Organization, shop: Shop, path: str) -> None:
    give_credits(acme, PRICE + 2)
    await visit(acme.live).call(path, {})

    reply = await visit(acme.live).post(path, {})

    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (403, "CREDITS_EXHAUSTED")
    assert error["details"] == {"needed": PRICE, "available": 2, "resets_at": (await _month(acme))["resets_at"]}
    assert await credits_of(acme.live) == (PRICE, 0, 2)
    assert shop.handled + shop.called == 1 + (path == BUY)
    contacts = await acme.live.call("/v1/contacts")
    assert len(contacts["contacts"]) == (1 if path == BUY else 0)


async def test_an_effect_that_fails_costs_nothing(visit: Visit, acme: Organization, shop: Shop) -> None:
    shop.on_handle = [mistake]

    reply = await visit(acme.live).post(BUY, {})

    assert reply.status_code == 500
    assert await credits_of(acme.live) == (0, 0, 50_000)
    assert await entries(acme.live) == []


@pytest.mark.parametrize(("failure", "status"), [(fail_for_now, 503), (refuse, 422), (vanish, 404), (mistake, 500)])
async def test_a_call_that_fails_is_refunded(
    visit: Visit, acme: Organization, shop: Shop, failure, status: int
) -> None:
    shop.on_call = [failure]

    reply = await visit(acme.live).post(ORDER, {})

    [entry] = await entries(acme.live)
    assert reply.status_code == status
    assert (entry["state"], entry["settled_amount"]) == ("refunded", None)
    assert await credits_of(acme.live) == (0, 0, 50_000)


async def test_a_call_that_a_stopping_process_breaks_off_is_refunded_at_once(
    visit: Visit, acme: Organization, shop: Shop
) -> None:
    shop.on_call = [stop]

    await visit(acme.live).post(ORDER, {})

    assert [entry["state"] for entry in await entries(acme.live)] == ["refunded"]
    assert await credits_of(acme.live) == (0, 0, 50_000)


async def test_a_call_that_was_made_costs_its_price_though_its_record_is_refused(
    visit: Visit, acme: Organization, shop: Shop
) -> None:
    shop.on_record = [vanish]

    reply = await visit(acme.live).post(ORDER, {})

    [entry] = await entries(acme.live)
    assert reply.status_code == 404
    assert (entry["state"], entry["settled_amount"]) == ("settled", PRICE)


async def test_credits_are_reserved_while_the_outside_is_called(visit: Visit, acme: Organization, shop: Shop) -> None:
    give_credits(acme, PRICE)
    answer = asyncio.Event()
    shop.on_call = [until_set(answer)]
    waiting = asyncio.create_task(visit(acme.live).post(ORDER, {}))
    async with asyncio.timeout(5):
        while not shop.called:  # noqa: ASYNC110 - the shop tells by counting
            await asyncio.sleep(0.01)

    meanwhile, another = await credits_of(acme.live), await visit(acme.live).post(ORDER, {})
    answer.set()
    first = await waiting

    assert meanwhile == (0, PRICE, 0)
    assert (first.status_code, another.status_code) == (200, 403)
    assert await credits_of(acme.live) == (PRICE, 0, 0)


async def test_what_a_crash_left_reserved_is_refunded_after_its_lease(
    visit: Visit, acme: Organization, shop: Shop, services: Services, clock: MovableClock
) -> None:
    shop.on_call = [crash]
    with pytest.raises(Crash):
        await visit(acme.live).post(ORDER, {})
    crashed = await credits_of(acme.live)
    await refund_lapsed(services)
    soon = await credits_of(acme.live)
    clock.advance(seconds=LEASE.total_seconds() + 1)

    await refund_lapsed(services)

    assert crashed == soon == (0, PRICE, 50_000 - PRICE)
    assert await credits_of(acme.live) == (0, 0, 50_000)
    assert [entry["state"] for entry in await entries(acme.live)] == ["refunded"]


async def test_a_repeated_request_is_charged_once(visit: Visit, acme: Organization) -> None:
    client = visit(acme.live)
    client = type(client)(client.http, {**client.headers, "Idempotency-Key": "once"})

    for path in (BUY, BUY, ORDER, ORDER):
        await client.call(path, {})

    assert await credits_of(acme.live) == (2 * PRICE, 0, 50_000 - 2 * PRICE)


@pytest.mark.parametrize("path", [BUY, ORDER])
async def test_the_sandbox_counts_without_deducting_and_never_refuses(
    visit: Visit, acme: Organization, path: str
) -> None:
    give_credits(acme, 1)

    for _ in range(2):
        await visit(acme.sandbox).call(path, {})

    assert await credits_of(acme.sandbox) == (2 * PRICE, 0, 1)
    assert await credits_of(acme.live) == (0, 0, 1)
    assert [entry["state"] for entry in await entries(acme.sandbox)] == ["settled", "settled"]
    assert await entries(acme.live) == []


async def test_a_new_month_has_new_credits(
    visit: Visit, acme: Organization, owner: psycopg.Connection, clock: MovableClock
) -> None:
    """In the organisation's own time zone."""
    give_credits(acme, PRICE)
    zone = ZoneInfo("Pacific/Auckland")
    owner.execute("update organizations set timezone = %s where id = %s", (zone.key, acme.id))
    await visit(acme.live).call(BUY, {})
    month = await _month(acme)
    resets_at = datetime.fromisoformat(month["resets_at"])
    assert (resets_at.astimezone(zone).day, resets_at.astimezone(zone).hour) == (1, 0)

    clock.advance(seconds=(resets_at - clock.now()).total_seconds() - 60)
    before = (await visit(acme.live).post(BUY, {})).status_code
    clock.advance(seconds=61)
    after = (await visit(acme.live).post(BUY, {})).status_code

    next_month = await _month(acme)
    assert (before, after) == (403, 200)
    assert next_month["month"] == f"{resets_at.astimezone(zone):%Y-%m}" != month["month"]
    assert next_month["used"] == PRICE


@pytest.mark.parametrize(("plan", "allowance"), [("starter", 500), ("pro", 5000), ("enterprise", 50_000)])
async def test_the_allowance_is_the_plans(world: World, plan: str, allowance: int) -> None:
    organization = world.organization("Acme", plan=plan)

    month = await _month(organization)

    assert (month["allowance"], month["used"], month["reserved"], month["remaining"]) == (allowance, 0, 0, allowance)


async def test_a_smaller_plan_takes_nothing_back(visit: Visit, acme: Organization) -> None:
    for _ in range(3):
        await visit(acme.live).call(BUY, {})
    give_credits(acme, PRICE)

    refused = await visit(acme.live).post(BUY, {})
    spent = await credits_of(acme.live)
    give_credits(acme, 4 * PRICE)
    allowed = await visit(acme.live).post(BUY, {})

    assert (refused.status_code, refused.json()["error"]["details"]["available"]) == (403, 0)
    assert spent == (3 * PRICE, 0, 0)
    assert allowed.status_code == 200


async def test_entries_are_searched(visit: Visit, acme: Organization, shop: Shop) -> None:
    shop.on_call = [refuse]
    key = acme.key("write")
    await visit(acme.live).call(BUY, {})
    await visit(acme.live).post(ORDER, {})
    await visit(key).call(BUY, {})
    whole = await entries(acme.live)
    today = datetime.now(UTC).date()

    assert [entry["operation"] for entry in whole] == ["shop.buy", "shop.order", "shop.buy"]
    assert await entries(acme.live, operation="shop.order") == await entries(acme.live, state="refunded") == [whole[1]]
    assert await entries(acme.live, key_id=whole[0]["key_id"]) == [whole[0]]
    assert await entries(acme.live, to=str(today.replace(year=today.year - 1))) == []
    assert (
        await acme.live.post("/v1/usage/list_credit_entries", {"from": "2026-04-08", "to": "2026-04-07"})
    ).status_code == 422


def test_an_operation_that_costs_credits_may_run_out_of_them(shop: Shop) -> None:
    operations: list[Operation] = shop.feature().operations

    assert all(CreditsExhausted in operation.errors for operation in operations)


async def _month(organization: Organization) -> dict:
    return await organization.live.call("/v1/usage/credits")
