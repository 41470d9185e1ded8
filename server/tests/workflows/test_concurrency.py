"""Workflows that run one at a time."""

import asyncio
from collections import Counter

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.workflows.arranging import (
    HELLO,
    code_of,
    ended,
    instances,
    later,
    on,
    reached,
    reacted,
    run,
    started,
    workflow,
)
from tests.world import Organization

pytestmark = pytest.mark.anyio

EXECUTE = "/v1/workflows/execute"
HOUR = 3600
PAUSE = {"id": "pause", "wait": {"seconds": HOUR}}


async def test_a_second_run_is_refused_while_the_first_goes_on(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO, concurrency="one")
    await started(acme.live, made, name="Ana")

    reply = await acme.live.post(EXECUTE, {"workflow_id": made["id"], "input": {"name": "Eva"}})

    assert code_of(reply) == (409, "WORKFLOW_ALREADY_RUNNING")
    assert len(await instances(acme.live)) == 1


@pytest.mark.usefixtures("worker")
async def test_a_waiting_run_goes_on_too(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, PAUSE, concurrency="one")
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")

    refused = await acme.live.post(EXECUTE, {"workflow_id": made["id"]})
    later(services, clock, seconds=HOUR)
    await ended(acme.live, waiting)
    allowed = await acme.live.post(EXECUTE, {"workflow_id": made["id"]})

    assert code_of(refused) == (409, "WORKFLOW_ALREADY_RUNNING")
    assert allowed.status_code == 200


@pytest.mark.usefixtures("worker")
async def test_a_failed_run_makes_room(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO, concurrency="one")

    assert (await run(acme.live, made))["status"] == "failed"
    assert (await run(acme.live, made, name="Ana"))["status"] == "completed"


async def test_of_twenty_at_once_one_wins(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO, concurrency="one")

    replies = await asyncio.gather(*(acme.live.post(EXECUTE, {"workflow_id": made["id"]}) for _ in range(20)))

    counted = Counter(code_of(reply) for reply in replies)
    assert counted == {(200, None): 1, (409, "WORKFLOW_ALREADY_RUNNING"): 19}
    assert len(await instances(acme.live)) == 1


@pytest.mark.usefixtures("worker")
async def test_of_twenty_events_at_once_one_starts_it_and_the_others_tell_why_not(
    acme: Organization, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, PAUSE, concurrency="one", **on("contact.created"))

    await asyncio.gather(*(acme.live.call("/v1/contacts/create", {"name": f"C{number}"}) for number in range(20)))
    await reacted(acme, owner)

    found = await instances(acme.live, workflow_id=made["id"])
    assert Counter(each["status"] == "cancelled" for each in found) == {False: 1, True: 19}
    [refused] = {each["error"]["code"] for each in found if each["status"] == "cancelled"}
    assert refused == "WORKFLOW_ALREADY_RUNNING"
    assert {each["input"]["data"]["name"] for each in found} == {f"C{number}" for number in range(20)}


async def test_other_workflows_and_organizations_are_not_in_the_way(acme: Organization, rival: Organization) -> None:
    first, second = [await workflow(acme.live, HELLO, concurrency="one") for _ in range(2)]
    theirs = await workflow(rival.live, HELLO, concurrency="one")
    many = await workflow(acme.live, HELLO)

    for client, made in ((acme.live, first), (acme.live, second), (rival.live, theirs), (acme.live, many)):
        assert (await started(client, made))["status"] == "running"
    assert (await started(acme.live, many))["status"] == "running"
