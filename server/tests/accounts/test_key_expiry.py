"""That a key is about to expire is told once, a week before."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from bivelio_server.accounts.expiry import LANE, notice_at
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.accounts.test_key_changes import GET, UPDATE, stamp
from tests.accounts.test_key_rotation import ROTATE
from tests.accounts.test_keys import made_key
from tests.webhooks.waiting import until
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 4, 7, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("life", "before"),
    [(90 * DAY, 7 * DAY), (8 * DAY, 7 * DAY), (7 * DAY, 3.5 * DAY), (DAY, DAY / 2), (timedelta(hours=1), DAY / 48)],
)
def test_a_week_before_the_end_or_at_half_of_a_short_life(life: timedelta, before: timedelta) -> None:
    assert notice_at(NOW + life, NOW) == NOW + life - before


def test_what_never_ends_is_never_told() -> None:
    assert notice_at(None, NOW) is None


async def test_is_told_once_in_its_environment(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    key = await made_key(acme.live, environment="sandbox", expires_at=stamp(clock.now() + 30 * DAY))
    await acme.sandbox.call("/v1/webhooks/create", {"url": "https://127.0.0.1:9/hook", "events": ["key.expiring"]})
    async with working(services, lanes=[LANE]), working(services, lanes=[LANE]):
        clock.advance(days=22)
        early = await settled(acme, services, clock, owner)
        clock.advance(days=1)
        await until(lambda: len(told(owner, acme)) == 1)
        late = await settled(acme, services, clock, owner)

    shown = await acme.live.call(GET, {"id": key["id"]})
    assert early == []
    [(environment, data)] = late
    assert environment == "sandbox"
    assert data == shown
    assert "key" not in data
    assert deliveries(owner, acme) == 1
    [notice] = (await acme.sandbox.call("/v1/notices/list"))["notices"]
    assert (notice["kind"], notice["resource_id"]) == ("key.expiring", key["id"])
    assert key["expires_at"][:10] in notice["text"]["es"]


async def test_a_later_end_is_told_anew(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    key = await made_key(acme.live, expires_at=stamp(clock.now() + 2 * DAY))
    async with working(services, lanes=[LANE]):
        clock.advance(days=1)
        await until(lambda: len(told(owner, acme)) == 1)
        await acme.live.call(UPDATE, {"id": key["id"], "expires_at": stamp(clock.now() + 20 * DAY)})
        clock.advance(days=13)
        await until(lambda: len(told(owner, acme)) == 2)


async def test_of_a_rotated_key_the_successor_is_told(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    old = await made_key(acme.live, expires_at=stamp(clock.now() + 2 * DAY))
    new = await acme.live.call(ROTATE, {"id": old["id"], "grace_seconds": 604800})
    async with working(services, lanes=[LANE]):
        clock.advance(days=1)
        events = await settled(acme, services, clock, owner)

    assert [data["id"] for _, data in events] == [new["id"]]


async def settled(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> list[tuple[str, Any]]:
    """The events after a key that is due now has been told of."""
    witness = acme.world.organization("Witness")
    key = await made_key(witness.live, expires_at=stamp(clock.now() + timedelta(minutes=10)))
    owner.execute("update api_keys set expiry_notice_at = %s where id = %s", (clock.now(), key["id"]))
    await until(lambda: len(told(owner, witness)) == 1)
    return told(owner, acme)


def told(database: psycopg.Connection, organization: Organization) -> list[tuple[str, Any]]:
    query = "select environment, data from events where org_id = %s and event = 'key.expiring' order by occurred_at"
    return database.execute(query, (UUID(organization.made.organization_id),)).fetchall()


def deliveries(database: psycopg.Connection, organization: Organization) -> int:
    row = database.execute("select count(*) from webhook_deliveries where org_id = %s", (organization.id,)).fetchone()
    assert row is not None
    return int(row[0])
