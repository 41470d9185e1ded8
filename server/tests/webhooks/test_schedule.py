"""When a failed delivery is tried again, and when an endpoint is given up."""

from datetime import timedelta

import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.webhooks.schedule import delay_after
from tests.webhooks.desk import Desk, Endpoint, create_contact
from tests.webhooks.receiver import always, in_turn, receiving
from tests.webhooks.waiting import until
from tests.world import Organization

pytestmark = pytest.mark.anyio

SECONDS = [30, 120, 600, 3600]


@pytest.mark.parametrize(("failures", "seconds"), list(enumerate(SECONDS, 1)))
def test_waits_as_printed_and_up_to_a_tenth_longer(failures: int, seconds: int) -> None:
    delays = [delay_after(failures, None).total_seconds() for _ in range(1000)]

    assert seconds <= min(delays) < seconds * 1.01
    assert seconds * 1.09 < max(delays) <= seconds * 1.1


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [(10, 30, 33), (300, 300, 300), (86400, 3600, 3600), (-5, 30, 33)],
)
def test_waits_as_long_as_the_receiver_asks(asked: int, least: int, most: int) -> None:
    assert least <= delay_after(1, timedelta(seconds=asked)).total_seconds() <= most


@pytest.mark.usefixtures("worker")
async def test_five_attempts_at_their_times_disable_the_endpoint(
    acme: Organization, desk: Desk, clock: MovableClock
) -> None:
    async with receiving(always(500)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live, "first")
        for attempt, seconds in enumerate(SECONDS, 1):
            await _failed(endpoint, attempt)
            ((due, began),) = endpoint.next_attempts()
            assert timedelta(seconds=seconds) <= due - began <= timedelta(seconds=seconds * 1.1 + 5)
            clock.advance(seconds=seconds * 1.1 + 5)
        await until(lambda: endpoint.deliveries() == [("failed", 5)])
        view = await endpoint.get()

    assert len(receiver.requests) == 5
    assert len(receiver.ids()) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert view["status"] == "disabled"
    assert view["disabled_reason"] == "attempts_exhausted"
    assert view["disabled_at"]
    assert view["success_rate"] == 0


@pytest.mark.usefixtures("worker")
async def test_an_endpoint_enabled_again_gets_what_was_pending(
    acme: Organization, desk: Desk, clock: MovableClock
) -> None:
    async with receiving(always(500)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await _exhaust(endpoint, clock)
        await create_contact(acme.live, "while disabled")
        receiver.answer = always(200)

        view = await endpoint.update(status="active")
        await until(lambda: _statuses(endpoint) == ["failed", "delivered"])
        await create_contact(acme.live, "afterwards")
        await until(lambda: _statuses(endpoint) == ["failed", "delivered", "delivered"])

    assert (view["status"], view["disabled_at"]) == ("active", None)
    assert [one.message["data"]["name"] for one in receiver.requests][-2:] == ["second", "afterwards"]


@pytest.mark.usefixtures("worker")
async def test_gone_disables_at_once(acme: Organization, desk: Desk) -> None:
    async with receiving(always(410)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await until(lambda: endpoint.outcomes() == [("failed", 410, "gone")])
        view = await endpoint.get()

    assert (view["status"], view["disabled_reason"]) == ("disabled", "gone")
    assert endpoint.deliveries() == [("pending", 1)]


@pytest.mark.usefixtures("worker")
async def test_success_after_failures_counts(acme: Organization, desk: Desk, clock: MovableClock) -> None:
    async with receiving(in_turn(503, 200)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await _failed(endpoint, 1)
        clock.advance(seconds=34)
        await until(lambda: endpoint.deliveries() == [("delivered", 2)])
        view = await endpoint.get()

    assert len(receiver.ids()) == 1
    assert view["success_rate"] == 1
    assert view["last_triggered_at"]


@pytest.mark.usefixtures("worker")
async def test_retry_after_is_honoured(acme: Organization, desk: Desk) -> None:
    async with receiving(always(429, {"Retry-After": "900"})) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await _failed(endpoint, 1)
        ((due, began),) = endpoint.next_attempts()

    assert timedelta(seconds=900) <= due - began <= timedelta(seconds=910)


async def _failed(endpoint: Endpoint, attempts: int) -> None:
    await until(lambda: [outcome for outcome, *_ in endpoint.outcomes()] == ["failed"] * attempts)


async def _exhaust(endpoint: Endpoint, clock: MovableClock) -> None:
    """Five failures of one delivery; another one is pending when the endpoint is disabled."""
    await create_contact(endpoint.client, "first")
    for attempt, seconds in enumerate(SECONDS, 1):
        await _failed(endpoint, attempt)
        if attempt < len(SECONDS):
            clock.advance(seconds=seconds * 1.1 + 5)
    await create_contact(endpoint.client, "second")
    await _failed(endpoint, 5)
    clock.advance(seconds=SECONDS[-1] * 1.1 + 5)
    await until(lambda: _statuses(endpoint) == ["failed", "pending"])


def _statuses(endpoint: Endpoint) -> list[str]:
    return [status for status, _ in endpoint.deliveries()]
