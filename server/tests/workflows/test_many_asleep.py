"""A run with many steps that wait at once."""

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows.running import recording
from tests.workflows.arranging import Json, instance, later, reached, started, step_of, until, workflow
from tests.workflows.steering import task_states
from tests.workflows.test_control_steps import HOUR
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

MANY = 30


def each_waits(seconds: object) -> Json:
    wait = {"id": "p", "wait": {"seconds": seconds}}
    return {"id": "each", "for_each": list(range(MANY)), "concurrency": MANY, "steps": [wait]}


async def test_more_than_are_written_at_once_sleep_all_the_same(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_MAX_UNSAVED_STEPS", MANY // 3)
    going = await started(acme.live, await workflow(acme.live, each_waits(HOUR)))

    async def sleeps() -> bool:
        return task_states(acme, going)[-1] == "sleeping"

    await until(sleeps)
    assert len((await instance(acme.live, going))["steps"]) == MANY + 1


async def test_those_that_sleep_on_are_not_written_anew(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, each_waits("{{ (index + 1) * 3600 }}"))
    going = await reached(acme.live, await started(acme.live, made), "waiting")
    before = _versions(owner, going)

    later(services, clock, seconds=HOUR)

    async def one_is_done() -> bool:
        return step_of(await instance(acme.live, going), "p")["status"] == "completed"

    await until(one_is_done)
    after = _versions(owner, going)
    assert {path for path in before if after[path] != before[path]} == {"each[0].p"}


def _versions(owner: psycopg.Connection, run_: Json) -> dict[str, str]:
    """Another one for each row that was written."""
    rows = owner.execute(
        "select path, xmin::text from workflow_steps where instance_id = %s", (run_["instance_id"],)
    ).fetchall()
    return dict(rows)
