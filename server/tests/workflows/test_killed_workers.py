"""Steps happen once, whatever happens to the workers."""

import asyncio
import random
from collections import Counter
from uuid import UUID

import psycopg
import pytest

from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from tests.workflows.arranging import create_contact, events_of, instances, started, until, workflow
from tests.workflows.processes import workers
from tests.world import Organization

pytestmark = pytest.mark.anyio

RUNS, STEPS, KILLS = 20, ("first", "second", "third"), 5
AT_ONCE = 2


async def test_killed_workers_lose_and_double_nothing(
    acme: Organization, installation: Installation, owner: psycopg.Connection, clock: MovableClock
) -> None:
    marked = [create_contact(step, custom_fields={"number": "{{ input.number }}", "step": step}) for step in STEPS]
    pause = {"id": "pause", "wait": {"seconds": 1}}
    made = await workflow(acme.live, marked[0], pause, *marked[1:], concurrency="many")
    moments = random.Random(20)

    with workers(installation, clock) as crowd:
        for _ in range(AT_ONCE):
            crowd.start()
        for number in range(RUNS):
            await started(acme.live, made, number=number)
        for kill in range(KILLS):
            goal = (kill + 1) * RUNS * len(STEPS) // (KILLS + 2)
            await until(lambda: _reached(owner, acme.id, goal), 60)  # noqa: B023 - awaited in this very round
            await asyncio.sleep(moments.uniform(0, 0.03))
            crowd.kill(kill)
            if len(crowd.processes) <= KILLS:
                crowd.start()
        await until(lambda: _all_ended(acme), 60)

    assert {found["status"] for found in await instances(acme.live, per_page=100)} == {"completed"}
    assert Counter(_effects(owner, acme.id)) == {(number, step): 1 for number in range(RUNS) for step in STEPS}
    assert len(events_of(owner, acme, "contact.created")) == RUNS * len(STEPS)
    assert len(events_of(owner, acme, "workflow.completed")) == RUNS
    assert _taken_over(owner, acme.id) > 0


async def _reached(owner: psycopg.Connection, org_id: UUID, goal: int) -> bool:
    return len(_effects(owner, org_id)) >= goal


async def _all_ended(organization: Organization) -> bool:
    return all(found["finished_at"] for found in await instances(organization.live, per_page=100))


def _effects(owner: psycopg.Connection, org_id: UUID) -> list[tuple[int, str]]:
    rows = owner.execute(
        "select (custom_fields ->> 'number')::int, custom_fields ->> 'step' from contacts where org_id = %s", (org_id,)
    )
    return [(number, step) for number, step in rows]


def _taken_over(owner: psycopg.Connection, org_id: UUID) -> int:
    """How many runs a killed worker held."""
    row = owner.execute(
        "select count(distinct r.task_id) from absurd.r_work r"
        " join workflow_instances i on i.task_id = r.task_id where i.org_id = %s and r.attempt > 1",
        (org_id,),
    ).fetchone()
    assert row is not None
    return int(row[0])
