"""Steps of workflows cost what operations cost: once, whatever happens on the way."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused, NotFound
from bivelio_server.usage.credits import LEASE, refund_lapsed
from tests.usage.arranging import Json, credits_of, entries, give_credits
from tests.usage.conftest import Visit
from tests.usage.shops import PRICE, Shop
from tests.workflows.arranging import contact_names, ended, instance, later, run, started, until, workflow
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


async def lose_the_database() -> None:
    raise psycopg.OperationalError


async def fail_for_now() -> None:
    raise IntegrationFailed


async def refuse() -> None:
    raise IntegrationRefused


async def find_nothing() -> None:
    raise NotFound("id")


async def mistake() -> None:
    raise ZeroDivisionError


@pytest.fixture(autouse=True)
async def worker(shopping: Services) -> AsyncIterator[None]:
    async with working(shopping, HANDLERS):
        yield


@pytest.fixture
def client(visit: Visit, acme: Organization) -> Client:
    return visit(acme.live)


@pytest.mark.parametrize("step", [Shop.BUY, Shop.ORDER], ids=["buy", "order"])
async def test_a_step_costs_what_its_operation_costs(client: Client, step: Json) -> None:
    made = await workflow(client, step)

    found = await run(client, made)

    [entry] = await entries(client)
    assert found["output"] == {"credits_consumed": PRICE}
    assert await credits_of(client) == (PRICE, 0, 50_000 - PRICE)
    assert (entry["cause"], entry["actor"]) == (f"run:{found['instance_id']}", f"workflow:{made['id']}")
    assert (entry["key_id"], entry["request_id"]) == (None, None)


@pytest.mark.parametrize("step", [Shop.BUY, Shop.ORDER], ids=["buy", "order"])
async def test_without_credits_the_run_fails(client: Client, acme: Organization, shop: Shop, step: Json) -> None:
    give_credits(acme, PRICE - 1)

    found = await run(client, await workflow(client, step))

    assert (found["status"], found["error"]["code"]) == ("failed", "CREDITS_EXHAUSTED")
    assert found["error"]["details"]["needed"] == PRICE
    assert shop.called == 0
    assert await contact_names(client) == []
    assert await credits_of(client) == (0, 0, PRICE - 1)


async def test_a_service_that_fails_for_now_costs_one_call(
    client: Client, shop: Shop, shopping: Services, clock: MovableClock
) -> None:
    shop.on_call = [fail_for_now, fail_for_now]
    queued = await started(client, await workflow(client, Shop.ORDER))
    await until(lambda: _was_called(shop, 1))
    await until(lambda: _is(client, (0, 0, 50_000)))

    await _ended_in_time(client, queued, shopping, clock)

    assert shop.called == 3
    assert await credits_of(client) == (PRICE, 0, 50_000 - PRICE)
    assert len(await entries(client)) == 1


async def test_a_service_that_refuses_costs_nothing(client: Client, shop: Shop) -> None:
    shop.on_call = [refuse]

    found = await run(client, await workflow(client, Shop.ORDER))

    assert found["status"] == "failed"
    assert await credits_of(client) == (0, 0, 50_000)


async def test_credits_that_are_gone_at_the_next_try_fail_the_run(
    client: Client, acme: Organization, shop: Shop, shopping: Services, clock: MovableClock
) -> None:
    give_credits(acme, PRICE)
    shop.on_call = [fail_for_now]
    queued = await started(client, await workflow(client, Shop.ORDER))
    await until(lambda: _was_called(shop, 1))
    await until(lambda: _is(client, (0, 0, PRICE)))
    await client.call("/v1/shop/buy", {})

    found = await _ended_in_time(client, queued, shopping, clock, status="failed")

    assert found["error"]["code"] == "CREDITS_EXHAUSTED"
    assert shop.called == 1
    assert await credits_of(client) == (PRICE, 0, 0)


async def test_a_call_whose_record_is_refused_is_paid_for(client: Client, shop: Shop) -> None:
    """It was made."""
    shop.on_record = [find_nothing]

    found = await run(client, await workflow(client, Shop.ORDER))

    assert (found["status"], found["error"]["code"]) == ("failed", "RESOURCE_NOT_FOUND")
    assert await credits_of(client) == (PRICE, 0, 50_000 - PRICE)


async def test_a_call_that_is_given_up_costs_nothing(
    client: Client, shop: Shop, shopping: Services, clock: MovableClock
) -> None:
    shop.on_call = [mistake] * 10
    queued = await started(client, await workflow(client, Shop.ORDER))

    await _ended_in_time(client, queued, shopping, clock, status="failed")

    assert await credits_of(client) == (0, 0, 50_000)


@pytest.mark.parametrize("part", ["on_call", "on_record"])
@pytest.mark.parametrize("happens", [lose_the_database, mistake], ids=["crash", "mistake"])
async def test_a_step_that_is_taken_up_again_is_charged_once(
    client: Client, shop: Shop, shopping: Services, clock: MovableClock, part: str, happens
) -> None:
    setattr(shop, part, [happens])
    queued = await started(client, await workflow(client, Shop.ORDER))
    await until(lambda: _was_called(shop, 1))

    await _ended_in_time(client, queued, shopping, clock)

    assert shop.called == 2
    assert await credits_of(client) == (PRICE, 0, 50_000 - PRICE)
    assert [entry["state"] for entry in await entries(client)] == ["settled"]


async def test_a_step_that_is_taken_up_after_its_lease_reserves_again(
    client: Client, shop: Shop, shopping: Services, clock: MovableClock
) -> None:
    shop.on_call = [lose_the_database]
    queued = await started(client, await workflow(client, Shop.ORDER))
    await until(lambda: _was_called(shop, 1))
    clock.advance(seconds=LEASE.total_seconds() + 1)
    await refund_lapsed(shopping)

    await _ended_in_time(client, queued, shopping, clock)

    assert await credits_of(client) == (PRICE, 0, 50_000 - PRICE)


async def test_an_effect_that_is_repeated_is_charged_once(
    client: Client, shop: Shop, shopping: Services, clock: MovableClock
) -> None:
    shop.on_handle = [lose_the_database, mistake]
    queued = await started(client, await workflow(client, Shop.BUY))

    await _ended_in_time(client, queued, shopping, clock)

    assert shop.handled == 3
    assert await contact_names(client) == ["bought"]
    assert await credits_of(client) == (PRICE, 0, 50_000 - PRICE)


async def _was_called(shop: Shop, times: int) -> bool:
    return shop.called >= times


async def _is(client: Client, wanted: tuple[int, int, int]) -> bool:
    return await credits_of(client) == wanted


async def _ended_in_time(
    client: Client, queued: Json, services: Services, clock: MovableClock, *, status: str = "completed"
) -> Json:
    """The run once it has ended, with the clock moved as often as that takes."""

    async def has_ended() -> bool:
        later(services, clock, seconds=16)
        return (await instance(client, queued))["finished_at"] is not None

    await until(has_ended)
    return await ended(client, queued, status)
