"""Workflows whose runs wait for one another."""

import asyncio
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows import instances as starting
from tests.workflows.arranging import (
    HELLO,
    Json,
    ended,
    instance,
    instances,
    later,
    reached,
    run,
    started,
    until,
    workflow,
)
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

EXECUTE = "/v1/workflows/execute"
PAUSE: Json = {"id": "pause", "wait": {"seconds": 3600}}


async def queueing(client: Client, *steps: Json, **fields: Any) -> Json:
    return await workflow(client, *steps, concurrency="queue", **fields)


@pytest.mark.usefixtures("worker")
async def test_the_second_run_begins_when_the_first_ends(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    made = await queueing(acme.live, PAUSE, HELLO)
    first = await reached(acme.live, await started(acme.live, made, name="Ana"), "waiting")
    second = await started(acme.live, made, name="Eva")

    assert (second["status"], second["queued"]) == ("running", True)
    later(services, clock, hours=1)
    await ended(acme.live, first)
    waiting = await reached(acme.live, second, "waiting")

    assert waiting["queued"] is False
    assert waiting["started_at"] > second["started_at"]


@pytest.mark.usefixtures("worker")
async def test_twenty_at_once_run_one_after_another(acme: Organization, owner: psycopg.Connection) -> None:
    made = await queueing(acme.live, {"id": "new", "uses": "contacts.create", "with": {"name": "{{ input.name }}"}})

    await asyncio.gather(*(started(acme.live, made, name=f"C{number}") for number in range(20)))
    await until(lambda: all_ended(acme, 20))

    times = owner.execute(
        "select started_at, finished_at from workflow_instances where org_id = %s order by started_at", (acme.id,)
    ).fetchall()
    assert all(begins >= end for (_, end), (begins, _) in pairwise(times))
    assert {found["status"] for found in await instances(acme.live)} == {"completed"}


@pytest.mark.usefixtures("worker")
async def test_they_keep_the_order_in_which_they_came(acme: Organization) -> None:
    made = await queueing(acme.live, HELLO)

    runs = [await started(acme.live, made, name=f"C{number}") for number in range(5)]
    ends = [await ended(acme.live, each) for each in runs]

    assert [each["started_at"] for each in ends] == sorted(each["started_at"] for each in ends)


@pytest.mark.usefixtures("worker")
async def test_a_failed_run_lets_the_next_one_begin(acme: Organization) -> None:
    made = await queueing(acme.live, HELLO)

    failing, fine = await started(acme.live, made), await started(acme.live, made, name="Ana")

    await ended(acme.live, failing, "failed")
    await ended(acme.live, fine)


@pytest.mark.usefixtures("worker")
async def test_who_waits_for_the_end_of_a_queued_run_is_answered(acme: Organization) -> None:
    made = await queueing(acme.live, HELLO)

    found = await asyncio.gather(*(run(acme.live, made, name="Ana") for _ in range(5)))

    assert {each["status"] for each in found} == {"completed"}


@pytest.mark.usefixtures("worker")
async def test_those_that_wait_all_begin_when_the_workflow_no_longer_queues(acme: Organization) -> None:
    made = await queueing(acme.live, PAUSE)
    runs = [await started(acme.live, made) for _ in range(5)]
    await reached(acme.live, runs[0], "waiting")

    await acme.live.call("/v1/workflows/update", {"id": made["id"], "concurrency": "many"})

    for each in runs:
        await reached(acme.live, each, "waiting")


@pytest.mark.usefixtures("worker")
async def test_what_was_accepted_runs_though_the_workflow_is_paused(acme: Organization) -> None:
    made = await queueing(acme.live, HELLO)
    runs = [await started(acme.live, made, name="Ana") for _ in range(3)]

    await acme.live.call("/v1/workflows/pause", {"id": made["id"]})

    for each in runs:
        await ended(acme.live, each)


async def test_a_crash_between_an_end_and_the_next_beginning_loses_nobody(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    made = await queueing(acme.live, PAUSE)
    runs = [await started(acme.live, made) for _ in range(3)]
    async with working(services, HANDLERS):
        await reached(acme.live, runs[0], "waiting")

    clock.advance(hours=1)
    async with working(services, {starting.TASK: HANDLERS[starting.TASK]}):
        await ended(acme.live, runs[0])
    assert (await instance(acme.live, runs[1]))["queued"] is True

    clock.advance(minutes=1)
    async with working(services, HANDLERS):
        await reached(acme.live, runs[1], "waiting")
        later(services, clock, hours=1)
        await reached(acme.live, runs[2], "waiting")


async def all_ended(organization: Organization, count: int) -> bool:
    found = await instances(organization.live)
    return len(found) == count and all(item["finished_at"] for item in found)
