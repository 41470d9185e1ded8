"""webhooks.resend, recover: what did not arrive is sent once more, and only once."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.webhooks.delivery import LANE
from tests.webhooks.desk import Desk, Endpoint, create_contact, delivery_of
from tests.webhooks.receiver import in_turn, receiving
from tests.webhooks.waiting import until
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio


@pytest.mark.usefixtures("worker")
async def test_a_delivered_message_is_sent_again_under_its_id(acme: Organization, desk: Desk) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await until(lambda: endpoint.deliveries() == [("delivered", 1)])

        queued = await _resend(endpoint)
        await until(lambda: endpoint.deliveries() == [("delivered", 2)])

    first, second = receiver.requests
    assert (first.id, first.body) == (second.id, second.body)
    assert (queued["status"], queued["finished_at"]) == ("pending", None)


async def test_resends_at_the_same_time_are_one(acme: Organization, desk: Desk, services: Services) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        async with working(services, lanes=[LANE]):
            await until(lambda: endpoint.deliveries() == [("delivered", 1)])
        await asyncio.gather(*(_resend(endpoint) for _ in range(20)))
        async with working(services, lanes=[LANE]):
            await until(lambda: endpoint.deliveries() == [("delivered", 2)])

    assert len(receiver.requests) == 2


@pytest.mark.usefixtures("worker")
async def test_a_resent_message_has_all_attempts_before_it(
    acme: Organization, desk: Desk, owner: psycopg.Connection
) -> None:
    async with receiving(in_turn(500, 500, 200)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, disable_policy="patient")
        await create_contact(acme.live)
        await until(lambda: endpoint.outcomes() == [("failed", 500, "rejected")])
        owner.execute(
            "update webhook_deliveries set status = 'failed', failures = 5, finished_at = created_at,"
            " next_attempt_at = null where webhook_id = %s",
            (endpoint.id,),
        )

        await _resend(endpoint)
        await until(lambda: [outcome for outcome, *_ in endpoint.outcomes()] == ["failed"] * 2)

    assert endpoint.deliveries() == [("pending", 2)]


async def test_a_test_is_not_sent_again(acme: Organization, desk: Desk) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await acme.live.call("/v1/webhooks/test", {"webhook_id": endpoint.id})
        delivery = await delivery_of(endpoint)

        reply = await acme.live.post("/v1/webhooks/resend", {"delivery_id": delivery["delivery_id"]})

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize("state", ["paused", "disabled", "deleted"])
async def test_an_endpoint_that_is_not_active_must_be_enabled_first(
    acme: Organization, desk: Desk, owner: psycopg.Connection, state: str
) -> None:
    endpoint = await desk.endpoint(acme.live, "http://127.0.0.1:9/hook")
    await create_contact(acme.live)
    delivery = await delivery_of(endpoint)
    await _bring_into(endpoint, state, owner)
    before = endpoint.deliveries()

    for path, data in (
        ("resend", {"delivery_id": delivery["delivery_id"]}),
        ("recover", {"webhook_id": endpoint.id, "since": "2026-01-01T00:00:00Z"}),
    ):
        reply = await acme.live.post(f"/v1/webhooks/{path}", data)

        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")
        assert reply.json()["error"]["details"] == {"webhook_id": endpoint.id, "status": state}
        assert "actívalo antes" in reply.json()["error"]["message"]
    assert endpoint.deliveries() == before


async def test_recover_takes_what_did_not_arrive_in_its_time(
    acme: Organization, desk: Desk, owner: psycopg.Connection, clock: MovableClock, services: Services
) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        for name in ("too early", "failed", "cancelled", "parked", "delivered"):
            await create_contact(acme.live, name)
            clock.advance(seconds=60)
        since, until_ = clock.now() - timedelta(seconds=270), clock.now()
        await create_contact(acme.live, "too late")
        _set_statuses(owner, endpoint, ["failed", "failed", "cancelled", "parked", "delivered", "failed"])

        recovered = await acme.live.call(
            "/v1/webhooks/recover",
            {"webhook_id": endpoint.id, "since": since.isoformat(), "until": until_.isoformat()},
        )
        async with working(services, lanes=[LANE]):
            await receiver.wait(3)

    assert recovered == {"webhook_id": endpoint.id, "recovered": 3}
    assert sorted(one.message["data"]["name"] for one in receiver.requests) == ["cancelled", "failed", "parked"]
    assert endpoint.statuses() == ["failed", *["delivered"] * 4, "failed"]


async def test_concurrent_recoveries_queue_each_delivery_once(
    acme: Organization, desk: Desk, owner: psycopg.Connection, services: Services
) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        for number in range(40):
            await create_contact(acme.live, str(number))
        _set_statuses(owner, endpoint, ["failed"] * 40)

        data = {"webhook_id": endpoint.id, "since": "2026-01-01T00:00:00Z"}
        replies = await asyncio.gather(*(acme.live.call("/v1/webhooks/recover", data) for _ in range(10)))
        async with working(services, lanes=[LANE]):
            await until(lambda: set(endpoint.statuses()) == {"delivered"})

    assert sum(reply["recovered"] for reply in replies) == 40
    assert len(receiver.requests) == len(receiver.ids()) == 40


async def test_a_deleted_endpoint_that_comes_back_can_have_what_was_cancelled(
    acme: Organization, desk: Desk, services: Services
) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await acme.live.call("/v1/webhooks/delete", {"webhook_id": endpoint.id})
        listed = await acme.live.call("/v1/webhooks/list", {"deleted": True})
        await acme.live.call("/v1/webhooks/restore", {"webhook_id": endpoint.id})
        await endpoint.update(status="active")

        data = {"webhook_id": endpoint.id, "since": "2026-01-01T00:00:00Z"}
        recovered = await acme.live.call("/v1/webhooks/recover", data)
        async with working(services, lanes=[LANE]):
            await receiver.wait(1)

    assert [one["webhook_id"] for one in listed["webhooks"]] == [endpoint.id]
    assert listed["webhooks"][0]["deleted_at"]
    assert recovered["recovered"] == 1


async def _resend(endpoint: Endpoint) -> dict[str, Any]:
    delivery = await delivery_of(endpoint)
    return await endpoint.client.call("/v1/webhooks/resend", {"delivery_id": delivery["delivery_id"]})


async def _bring_into(endpoint: Endpoint, state: str, owner: psycopg.Connection) -> None:
    if state == "paused":
        await endpoint.update(status="paused")
    elif state == "deleted":
        await endpoint.client.call("/v1/webhooks/delete", {"webhook_id": endpoint.id})
    else:
        owner.execute(
            "update webhook_endpoints set status = 'disabled', disabled_at = now(), disabled_reason = 'gone'"
            " where id = %s",
            (endpoint.id,),
        )


def _set_statuses(owner: psycopg.Connection, endpoint: Endpoint, statuses: list[str]) -> None:
    """Of the endpoint's deliveries, oldest first; `parked` is pending without a time."""
    ids = [
        row[0]
        for row in owner.execute(
            "select id from webhook_deliveries where webhook_id = %s order by created_at, id", (endpoint.id,)
        )
    ]
    for delivery_id, status in zip(ids, statuses, strict=True):
        owner.execute(
            "update webhook_deliveries set status = %s, next_attempt_at = null, failures = 5,"
            " finished_at = case when %s = 'pending' then null else created_at end where id = %s",
            (stored := "pending" if status == "parked" else status, stored, delivery_id),
        )
