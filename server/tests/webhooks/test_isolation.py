"""Receivers that hang hold up nobody else."""

import asyncio
import time

import pytest

from bivelio_server.webhooks.connections import Connections
from bivelio_server.webhooks.delivery import DOUBTED_WINDOW
from tests.webhooks.desk import Desk, create_contact
from tests.webhooks.receiver import Received, hang, receiving
from tests.webhooks.waiting import until
from tests.world import Organization

pytestmark = pytest.mark.anyio


TAR_PITS = 50
MESSAGES = 20


@pytest.mark.usefixtures("worker")
async def test_fifty_tar_pits_delay_no_healthy_endpoint(acme: Organization, rival: Organization, desk: Desk) -> None:
    async with receiving(hang) as tar_pit, receiving() as healthy:
        for _ in range(TAR_PITS):
            await desk.endpoint(acme.live, tar_pit)
        await desk.endpoint(rival.live, healthy)
        for _ in range(3):
            await create_contact(acme.live)
        await tar_pit.wait(TAR_PITS * DOUBTED_WINDOW)

        waits = []
        for count in range(1, MESSAGES + 1):
            began = time.monotonic()
            await create_contact(rival.live)
            await healthy.wait(count)
            waits.append(time.monotonic() - began)

    assert sorted(waits)[int(MESSAGES * 0.95) - 1] < 2
    assert len(tar_pit.requests) == TAR_PITS * DOUBTED_WINDOW


@pytest.mark.usefixtures("worker")
async def test_a_slow_answer_does_not_hold_up_the_next_message(acme: Organization, desk: Desk) -> None:
    release = asyncio.Event()

    async def first_is_slow(request: Received) -> int:
        if request.message["data"]["name"] == "slow":
            await release.wait()
        return 200

    async with receiving(first_is_slow) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live, "slow")
        await receiver.wait(1)
        await create_contact(acme.live, "quick")
        await until(lambda: sorted(status for status, _ in endpoint.deliveries()) == ["delivered", "pending"], 5)
        release.set()
        await until(lambda: [status for status, _ in endpoint.deliveries()] == ["delivered"] * 2)


def test_doubted_endpoints_leave_connections_to_the_others() -> None:
    connections = Connections(most=10, most_doubted=6)

    assert connections.take(8, trusted=False) == 6
    assert connections.take(1, trusted=False) == 0
    assert connections.take(8, trusted=True) == 4
    connections.give_back(6, trusted=False)
    assert connections.take(8, trusted=True) == 6
    assert connections.take(1, trusted=False) == 0
