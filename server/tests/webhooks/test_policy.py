"""When an endpoint is given up: at the fifth failure of one delivery, or, patiently, after days without a success."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.webhooks.delivery import LANE
from bivelio_server.webhooks.schedule import PATIENCE, failing_since
from tests.webhooks.desk import Desk, Endpoint, create_contact
from tests.webhooks.receiver import Receiver, always, receiving
from tests.webhooks.waiting import until
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio

START = datetime(2026, 4, 7, tzinfo=UTC)
HOURS = 3600


def _at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("before", "last_failed", "outcomes", "expected"),
    [
        # Repeated: the streak began with its first failure.
        (None, None, [(0, False), (1, False)], 0),
        (0, 90, [(100, False)], 0),
        (0, 119, [(130, False)], 0),
        # A success ends it, wherever in the batch it is.
        (0, 1, [(2, True)], None),
        (0, 1, [(2, True), (3, False)], 3),
        (0, 1, [(3, True), (2, False)], None),
        # Expiry: after a silence as long as the patience, the next failure is a first one.
        (0, 0, [(120, False)], 120),
        (0, 1, [(120, False)], 0),
        (None, None, [(5, True)], None),
    ],
)
def test_a_streak_of_failures(
    before: int | None, last_failed: int | None, outcomes: list[tuple[int, bool]], expected: int | None
) -> None:
    since = failing_since(
        None if before is None else _at(before),
        None if last_failed is None else _at(last_failed),
        [(_at(hours), good) for hours, good in outcomes],
    )

    assert since == (None if expected is None else _at(expected))
    assert timedelta(hours=120) == PATIENCE


@pytest.mark.usefixtures("worker")
async def test_the_patient_policy_gives_up_a_message_but_not_its_endpoint(
    acme: Organization, desk: Desk, clock: MovableClock
) -> None:
    async with receiving(always(500)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, disable_policy="patient")
        await create_contact(acme.live, "first")
        await _exhaust(endpoint, clock)
        failing = await endpoint.get()
        receiver.answer = always(200)
        data = {"webhook_id": endpoint.id, "since": "2026-01-01T00:00:00Z"}
        recovered = await acme.live.call("/v1/webhooks/recover", data)
        await until(lambda: endpoint.deliveries() == [("delivered", 6)])
        healed = await endpoint.get()

    assert (failing["status"], failing["disable_policy"]) == ("active", "patient")
    assert failing["failing_since"] is not None
    assert recovered["recovered"] == 1
    assert (healed["status"], healed["failing_since"]) == ("active", None)


@pytest.mark.usefixtures("worker")
async def test_repeated_failures_for_120_hours_disable(acme: Organization, desk: Desk, clock: MovableClock) -> None:
    async with receiving(always(500)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, disable_policy="patient")
        await _fail_once(endpoint, clock, "hour 0")
        clock.advance(seconds=60 * HOURS)
        await _fail_once(endpoint, clock, "hour 60")
        before = await endpoint.get()
        clock.advance(seconds=60 * HOURS)
        await create_contact(acme.live, "hour 120")
        await _is(endpoint, "disabled")
        after = await endpoint.get()

    assert before["status"] == "active"
    assert after["disabled_reason"] == "continuous_failure"
    assert after["failing_since"] == before["failing_since"]


@pytest.mark.usefixtures("worker")
async def test_a_sporadic_success_begins_anew(acme: Organization, desk: Desk, clock: MovableClock) -> None:
    async with receiving(always(500)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, disable_policy="patient")
        for hour in (0, 60):
            await _fail_once(endpoint, clock, f"hour {hour}")
            clock.advance(seconds=60 * HOURS)
        receiver.answer = always(200)
        await _deliver_once(endpoint, receiver, "a good one")
        receiver.answer = always(500)
        await _fail_once(endpoint, clock, "hour 120")
        view = await endpoint.get()

    assert view["status"] == "active"


@pytest.mark.usefixtures("worker")
async def test_a_failure_of_long_ago_expires(acme: Organization, desk: Desk, clock: MovableClock) -> None:
    async with receiving(always(500)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, disable_policy="patient")
        await _fail_once(endpoint, clock, "hour 0")
        first = await endpoint.get()
        clock.advance(seconds=121 * HOURS)
        await _fail_once(endpoint, clock, "hour 121")
        second = await endpoint.get()

    assert second["status"] == "active"
    assert second["failing_since"] > first["failing_since"]


@pytest.mark.parametrize("change", [{"status": "active"}, {"url": "http://127.0.0.1:9/other"}])
async def test_who_mends_an_endpoint_starts_with_a_clean_slate(
    acme: Organization, desk: Desk, services: Services, change: dict[str, Any]
) -> None:
    async with receiving(always(500)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, disable_policy="patient")
        async with working(services, lanes=[LANE]):
            await create_contact(acme.live)
            await until(lambda: endpoint.outcomes() == [("failed", 500, "rejected")])
        failing = await endpoint.get()
        if "status" in change:
            await endpoint.update(status="paused")

        mended = await endpoint.update(**change)

    assert failing["failing_since"]
    assert mended["failing_since"] is None


@pytest.mark.usefixtures("worker")
async def test_a_patient_endpoint_that_is_gone_is_gone(acme: Organization, desk: Desk) -> None:
    async with receiving(always(410)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, disable_policy="patient")
        await create_contact(acme.live)
        await _is(endpoint, "disabled")
        view = await endpoint.get()

    assert view["disabled_reason"] == "gone"


async def test_the_policy_can_be_changed(acme: Organization, desk: Desk) -> None:
    endpoint = await desk.endpoint(acme.live, "http://127.0.0.1:9/hook")

    changed = await endpoint.update(disable_policy="patient", payload_version="2026-04-07")

    assert endpoint.made["disable_policy"] == "attempts"
    assert endpoint.made["payload_version"] == "2026-04-07"
    assert changed["disable_policy"] == "patient"
    assert (await acme.live.post("/v1/webhooks/update", {"webhook_id": endpoint.id, "payload_version": "2020-01-01"})
            ).status_code == 400  # fmt: skip


async def _exhaust(endpoint: Endpoint, clock: MovableClock) -> None:
    """All attempts of what is pending."""
    for attempt, seconds in enumerate((30, 120, 600, 3600), 1):
        await until(lambda attempt=attempt: len(_failures(endpoint)) == attempt)
        clock.advance(seconds=seconds * 1.1 + 5)
    await until(lambda: endpoint.statuses() == ["failed"])


async def _fail_once(endpoint: Endpoint, clock: MovableClock, name: str) -> None:
    """A message that fails; what it is tried again later does not matter here, so nothing of it stays."""
    seen = len(_failures(endpoint))
    await create_contact(endpoint.client, name)
    await until(lambda: len(_failures(endpoint)) > seen)
    endpoint.owner.execute(
        "update webhook_deliveries set status = 'cancelled', finished_at = created_at, next_attempt_at = null"
        " where webhook_id = %s and status = 'pending'",
        (endpoint.id,),
    )


async def _deliver_once(endpoint: Endpoint, receiver: Receiver, name: str) -> None:
    await create_contact(endpoint.client, name)
    await until(lambda: "delivered" in endpoint.statuses())


async def _is(endpoint: Endpoint, status: str) -> None:
    rows = "select status from webhook_endpoints where id = %s"
    await until(lambda: endpoint.owner.execute(rows, (endpoint.id,)).fetchone() == (status,))


def _failures(endpoint: Endpoint) -> list[Any]:
    return [outcome for outcome, *_ in endpoint.outcomes() if outcome == "failed"]
