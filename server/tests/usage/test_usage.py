"""Usage by day, key, operation and environment, and what is left of the limits."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from tests.usage.arranging import ask, request_of, usage
from tests.usage.conftest import Visit
from tests.usage.shops import PRICE
from tests.world import Organization, World

pytestmark = pytest.mark.anyio


async def test_usage_counts_requests_errors_and_credits_by_operation(visit: Visit, acme: Organization) -> None:
    for data in ({"name": "Ana"}, {"name": "Eva"}, {"name": 1}):
        await ask(acme.live, "/v1/contacts/create", data)
    await ask(acme.live)
    await visit(acme.live).call("/v1/shop/buy", {})

    rows = {row["operation"]: row for row in await usage(acme.live, group_by=["operation"])}

    made = rows["contacts.create"]
    assert (made["requests"], made["errors"], made["refused"], made["credits"]) == (3, 1, 0, 0)
    assert (made["day"], made["key_id"], made["environment"]) == (None, None, None)
    assert made["average_duration_ms"] > 0
    assert rows["contacts.list"]["requests"] == 1
    assert (rows["shop.buy"]["requests"], rows["shop.buy"]["credits"]) == (1, PRICE)


async def test_usage_is_grouped_by_key(visit: Visit, acme: Organization) -> None:
    key = acme.key("write")
    key_id = (await request_of(acme.live, await ask(key)))["key_id"]
    await visit(key).call("/v1/shop/buy", {})
    signed_in = acme.world.bearer((await acme.sign_in())["access_token"])
    await ask(signed_in)

    rows = {row["key_id"]: row for row in await usage(acme.live, group_by=["key"])}

    assert (rows[key_id]["requests"], rows[key_id]["credits"]) == (2, PRICE)
    assert rows[None]["requests"] == 1
    assert [row["requests"] for row in await usage(acme.live, key_id=key_id, group_by=[])] == [2]


async def test_refusals_of_the_limit_are_counted_apart(world: World, owner: psycopg.Connection) -> None:
    acme = world.organization("Acme", plan="starter")
    for _ in range(25):
        await ask(acme.live)
    owner.execute("update organizations set plan = 'enterprise' where id = %s", (acme.id,))

    [row] = await usage(acme.live, operation="contacts.list", group_by=["operation"])

    assert row["requests"] == 25
    assert row["errors"] == 0
    assert row["refused"] > 0


async def test_a_day_is_the_organizations_own(
    acme: Organization, owner: psycopg.Connection, clock: MovableClock
) -> None:
    zone = ZoneInfo("Pacific/Auckland")
    owner.execute("update organizations set timezone = %s where id = %s", (zone.key, acme.id))
    local = clock.now().astimezone(zone)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    clock.advance(seconds=(midnight - local).total_seconds() - 30)
    await ask(acme.live)
    clock.advance(seconds=60)
    await ask(acme.live)
    await ask(acme.live)

    rows = await usage(acme.live, operation="contacts.list")

    days = [f"{midnight.date()}", f"{midnight.date() - timedelta(days=1)}"]
    assert [(row["day"], row["requests"]) for row in rows] == list(zip(days, [2, 1], strict=True))
    assert await usage(acme.live, operation="contacts.list", **{"from": days[0]}) == rows[:1]
    assert await usage(acme.live, operation="contacts.list", to=days[1]) == rows[1:]


async def test_usage_shows_the_last_thirty_days_unless_asked(acme: Organization, clock: MovableClock) -> None:
    first = clock.now()
    await ask(acme.live)
    clock.advance(days=30)
    await ask(acme.live)

    usual = await usage(acme.live, operation="contacts.list")
    whole = await usage(acme.live, operation="contacts.list", **{"from": str((first - timedelta(days=1)).date())})

    assert (len(usual), len(whole)) == (1, 2)


async def test_environments_are_apart(acme: Organization) -> None:
    await ask(acme.live)
    await ask(acme.sandbox)
    await ask(acme.sandbox)

    async def by_environment(client, **filters) -> dict[str, int]:
        rows = await usage(client, operation="contacts.list", group_by=["environment"], **filters)
        return {row["environment"]: row["requests"] for row in rows}

    assert await by_environment(acme.live) == {"live": 1}
    assert await by_environment(acme.live, environment="all") == {"live": 1, "sandbox": 2}
    assert await by_environment(acme.live, environment="sandbox") == {"sandbox": 2}
    assert await by_environment(acme.sandbox, environment="all") == {"sandbox": 2}
    assert (await acme.sandbox.post("/v1/usage/list", {"environment": "live"})).status_code == 403


async def test_another_organization_is_not_counted(acme: Organization, rival: Organization) -> None:
    await ask(rival.live)

    assert await usage(acme.live, operation="contacts.list") == []


async def test_usage_has_pages(acme: Organization) -> None:
    for path in ("/v1/contacts", "/v1/contacts", "/v1/contacts", "/v1/workflows", "/v1/workflows", "/v1/webhooks/list"):
        await ask(acme.live, path)
    asked = {"group_by": ["operation"], "per_page": 2}

    first, second, beyond = [await acme.live.call("/v1/usage/list", {**asked, "page": page}) for page in (1, 2, 9)]

    assert [row["operation"] for row in first["usage"]] == ["contacts.list", "workflows.list"]
    assert "webhooks.list" in [row["operation"] for row in second["usage"]]
    assert beyond["usage"] == []
    assert beyond["pagination"]["total"] >= 3


@pytest.mark.parametrize(
    ("data", "status", "field"),
    [
        ({"from": "2026-04-08", "to": "2026-04-07"}, 422, "to"),
        ({"from": "2020-01-01", "to": "2026-01-01"}, 422, "to"),
        ({"from": "7 de abril"}, 400, "from"),
        ({"from": "2026-04-07T00:00:00Z"}, 400, "from"),
        ({"from": "20260407"}, 400, "from"),
        ({"to": 20260407}, 400, "to"),
        ({"group_by": ["hour"]}, 400, "group_by[0]"),
        ({"environment": "test"}, 400, "environment"),
    ],
)
async def test_what_cannot_be_asked_is_refused(acme: Organization, data: dict, status: int, field: str) -> None:
    reply = await acme.live.post("/v1/usage/list", data)

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (status, field)


async def test_limits_tell_what_is_left_without_charging_for_the_answer(world: World) -> None:
    acme = world.organization("Acme", plan="starter")
    for _ in range(3):
        await ask(acme.live)

    reply = await acme.live.post("/v1/usage/limits")

    limits = reply.json()["data"]
    assert (limits["plan"], limits["requests_per_minute"], limits["requests_per_second"]) == ("starter", 100, 20)
    assert limits["remaining"] == 96 == int(reply.headers["x-ratelimit-remaining"])
    assert 0 < limits["remaining_this_second"] <= 19
    assert limits["resets_at"] is not None


async def test_a_plan_without_limits_says_so(acme: Organization) -> None:
    limits = await acme.live.call("/v1/usage/limits")

    assert limits == {
        "plan": "enterprise", "requests_per_minute": None, "requests_per_second": None, "remaining": None,
        "remaining_this_second": None, "resets_at": None,
    }  # fmt: skip
