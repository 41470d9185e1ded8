"""Webhooks of the sandbox go by its clock; what their receivers check goes by the true one."""

from datetime import UTC, datetime, timedelta

import pytest

from bivelio_server.kit.clock import MovableClock
from tests.webhooks.conftest import desk  # noqa: F401 - a fixture
from tests.webhooks.desk import Desk, create_contact
from tests.webhooks.receiver import in_turn, receiving
from tests.webhooks.waiting import until
from tests.world import Organization

pytestmark = pytest.mark.anyio

ADVANCE = "/v1/sandbox/advance_clock"


async def test_a_retry_comes_due_when_the_clock_is_moved(
    acme: Organization,
    desk: Desk,  # noqa: F811 - the fixture
    clock: MovableClock,
    worker: None,
) -> None:
    await acme.sandbox.call(ADVANCE, {"seconds": 7200})
    async with receiving(in_turn(500, 200)) as receiver:
        endpoint = await desk.endpoint(acme.sandbox, receiver)
        contact = await create_contact(acme.sandbox)
        await receiver.wait(1)
        await until(lambda: endpoint.outcomes() == [("failed", 500, "rejected")])

        await acme.sandbox.call(ADVANCE, {"seconds": 40})
        first, second = await receiver.wait(2)
        await until(lambda: endpoint.deliveries() == [("delivered", 2)])

    assert first.id == second.id
    assert first.message["timestamp"] == contact["created_at"]
    for request in (first, second):
        signed = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        assert abs(clock.now() - signed) < timedelta(minutes=1)
