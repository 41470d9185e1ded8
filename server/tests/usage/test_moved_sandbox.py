"""A sandbox whose clock was moved: requests are still found and counted, credits go by its own months."""

import pytest

from tests.usage.arranging import ask, credits_of, logged, usage
from tests.usage.conftest import Visit
from tests.usage.shops import PRICE
from tests.world import Organization, World

pytestmark = pytest.mark.anyio

A_MONTH = 31 * 24 * 3600


async def test_requests_are_found_by_the_true_time(acme: Organization) -> None:
    before = await ask(acme.sandbox)
    await acme.sandbox.call("/v1/sandbox/advance_clock", {"seconds": A_MONTH})
    after = await ask(acme.sandbox)

    found = await logged(acme.sandbox, operation="contacts.list")
    [row] = await usage(acme.sandbox, operation="contacts.list")

    assert [request["request_id"] for request in found] == [after, before]
    assert row["requests"] == 2


async def test_limits_are_those_of_the_true_time(world: World) -> None:
    acme = world.organization("Acme", plan="starter")
    await acme.sandbox.call("/v1/sandbox/advance_clock", {"seconds": A_MONTH})
    await ask(acme.sandbox)

    limits = await acme.sandbox.call("/v1/usage/limits")

    assert limits["remaining"] == 97


async def test_credits_go_by_the_clock_of_the_sandbox(visit: Visit, acme: Organization) -> None:
    await visit(acme.sandbox).call("/v1/shop/buy", {})
    await acme.sandbox.call("/v1/sandbox/advance_clock", {"seconds": A_MONTH})
    new_month = await credits_of(acme.sandbox)
    await visit(acme.sandbox).call("/v1/shop/buy", {})

    [row] = await usage(acme.sandbox, operation="shop.buy", group_by=[])

    assert (new_month[0], (await credits_of(acme.sandbox))[0]) == (0, PRICE)
    assert (row["requests"], row["credits"]) == (2, 2 * PRICE)
