"""Runs whose durable task is gone, which should never be, go on all the same."""

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows.control.reviving import revive_runs
from tests.workflows.arranging import (
    HELLO,
    Json,
    contact_names,
    create_contact,
    ended,
    instance,
    later,
    reached,
    run,
    started,
    workflow,
)
from tests.workflows.steering import PAUSE, task_states
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


@pytest.mark.parametrize("loss", ["gone", "cancelled", "completed"])
async def test_a_run_that_has_lost_its_task_goes_on_where_it_was(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection, loss: str
) -> None:
    made = await workflow(acme.live, create_contact(), PAUSE, create_contact("second", name="Eva"))
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")
    lose(owner, waiting, loss)

    revived = await revive_runs(services)
    later(services, clock, seconds=3600)

    assert (await ended(acme.live, waiting))["status"] == "completed"
    assert await contact_names(acme.live) == ["Maria Garcia", "Eva"]
    assert revived >= 1


async def test_what_has_its_task_or_has_ended_is_left_alone(acme: Organization, services: Services) -> None:
    made = await workflow(acme.live, PAUSE)
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")
    completed = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")

    await revive_runs(services)

    assert task_states(acme, waiting) == ["sleeping"]
    assert await instance(acme.live, completed) == completed


async def test_who_waits_for_a_turn_that_nobody_has_comes_to_it(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, PAUSE, concurrency="queue")
    first = await reached(acme.live, await started(acme.live, made), "waiting")
    second = await started(acme.live, made)
    owner.execute(
        "update workflow_instances set status = 'cancelled', finished_at = now() where id = %s", (first["instance_id"],)
    )

    await revive_runs(services)

    assert (await reached(acme.live, second, "waiting"))["queued"] is False


def lose(owner: psycopg.Connection, waiting: Json, how: str) -> None:
    key = (waiting["instance_id"],)
    task = "(select task_id from workflow_instances where id = %s)"
    if how == "gone":
        owner.execute(f"delete from absurd.r_work where task_id = {task}", key)
        owner.execute(f"delete from absurd.t_work where task_id = {task}", key)
        return
    for table in ("r_work", "t_work"):
        owner.execute(f"update absurd.{table} set state = '{how}' where task_id = {task}", key)
