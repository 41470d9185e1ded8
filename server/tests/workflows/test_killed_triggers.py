"""Schedules, turns and waits while workers are killed."""

import asyncio
import random
from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest

from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from tests.workflows.arranging import HELLO, Json, instances, started, until, workflow
from tests.workflows.processes import LEASE_SECONDS, workers
from tests.world import Organization

pytestmark = pytest.mark.anyio

TICKS, KILLS = 12, 3


async def test_killed_workers_lose_no_tick_and_make_none_twice(
    acme: Organization, installation: Installation, owner: psycopg.Connection, clock: MovableClock
) -> None:
    step: Json = {"id": "at", "set": {"at": "{{ input.scheduled_at }}"}}
    made = [
        await workflow(acme.sandbox, step, trigger={"type": "cron", "cron": "* * * * *"}, name=f"W{number}")
        for number in range(3)
    ]
    moments = random.Random(21)

    with workers(installation, clock) as crowd:
        for _ in range(2):
            crowd.start()
        for tick in range(1, TICKS + 1):
            await acme.sandbox.call("/v1/sandbox/advance_clock", {"seconds": 60})
            if tick % 4 == 0 and tick // 4 <= KILLS:
                await asyncio.sleep(moments.uniform(0, 0.05))
                crowd.kill(tick // 4 - 1)
                crowd.start()
            await until(lambda: are_made(owner, acme, tick, len(made)), 30)  # noqa: B023 - awaited in this very round

    for each in made:
        rows = owner.execute(
            "select (input ->> 'scheduled_at')::timestamptz, (input ->> 'missed')::int from workflow_instances"
            " where org_id = %s and workflow_id = %s order by 1",
            (acme.id, each["id"]),
        ).fetchall()
        # A tick that its worker's death delayed past the next one is made up for by that.
        gaps = [(later - earlier, missed) for (earlier, _), (later, missed) in pairwise(rows)]
        assert all(gap == timedelta(minutes=1 + missed) for gap, missed in gaps), gaps
        assert len(rows) >= TICKS - KILLS


async def are_made(owner: psycopg.Connection, organization: Organization, ticks: int, workflows: int) -> bool:
    """A minute may have begun by itself, too."""
    [(count,)] = owner.execute(
        "select count(distinct (workflow_id, trigger_key)) from workflow_instances where org_id = %s",
        (organization.id,),
    ).fetchall()
    return bool(count >= ticks * workflows)


async def test_killed_workers_keep_the_turns_of_queued_runs(
    acme: Organization, installation: Installation, clock: MovableClock
) -> None:
    made = await workflow(
        acme.live, HELLO, {"id": "new", "uses": "contacts.create", "with": {"name": "Ana"}}, concurrency="queue"
    )

    with workers(installation, clock) as crowd:
        for _ in range(2):
            crowd.start()
        for number in range(30):
            await started(acme.live, made, name=f"C{number}")
        for kill in range(KILLS):
            await until(lambda: have_ended(acme, 30 * (kill + 1) // (KILLS + 2)), 60)  # noqa: B023 - as above
            crowd.kill(kill)
            crowd.start()
        await until(lambda: have_ended(acme, 30), 60 + 4 * LEASE_SECONDS)

    found = sorted(await instances(acme.live, per_page=100), key=lambda each: each["started_at"])
    assert [each["status"] for each in found] == ["completed"] * 30


async def have_ended(organization: Organization, count: int) -> bool:
    found = await instances(organization.live, per_page=100)
    return sum(each["finished_at"] is not None for each in found) >= count
