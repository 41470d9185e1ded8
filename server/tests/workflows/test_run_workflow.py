"""`run_workflow`: one run starts another, and waits for its end."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.workflows.arranging import (
    HELLO,
    Json,
    contact_names,
    create_contact,
    ended,
    instance,
    instances,
    later,
    problems,
    reached,
    run,
    started,
    step_of,
    until,
    workflow,
)
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

PAUSE: Json = {"id": "pause", "wait": {"seconds": 3600}}
BROKEN: Json = {"id": "broken", "set": {"value": "{{ 1 / 0 }}"}}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


def running(made: Json, step_id: str = "other", *, on_error: Any = "fail", **other: Any) -> Json:
    """A step that runs that workflow."""
    return {"id": step_id, "run_workflow": {"workflow_id": made["id"], **other}, "on_error": on_error}


async def child_of(organization: Organization, parent: Json) -> Json:
    [found] = [each for each in await instances(organization.live) if each["parent_id"] == parent["instance_id"]]
    return await instance(organization.live, found)


async def test_it_gives_what_the_other_run_gave(acme: Organization) -> None:
    inner = await workflow(acme.live, HELLO)
    outer = await workflow(acme.live, running(inner, input={"name": "{{ input.who }}"}))

    found = await run(acme.live, outer, who="Ana")

    child = await child_of(acme, found)
    assert found["output"] == {
        "instance_id": child["instance_id"], "status": "completed", "output": {"text": "Hola Ana"},
    }  # fmt: skip
    assert (child["input"], child["trigger_type"]) == ({"name": "Ana"}, "workflow")
    assert child["started_by"] == f"workflow:{outer['id']}"
    assert step_of(found, "other")["input"] == {"workflow_id": inner["id"], "input": {"name": "Ana"}}


async def test_it_waits_as_long_as_the_other_one_takes(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    outer = await workflow(acme.live, running(await workflow(acme.live, PAUSE, HELLO), input={"name": "Ana"}))
    waiting = await reached(acme.live, await started(acme.live, outer), "waiting")
    await reached(acme.live, await child_of(acme, waiting), "waiting")

    later(services, clock, seconds=3600)
    found = await ended(acme.live, waiting)

    assert step_of(waiting, "other")["status"] == "waiting"
    assert found["output"]["output"] == {"text": "Hola Ana"}
    assert len(await instances(acme.live)) == 2


async def test_it_need_not_wait(acme: Organization) -> None:
    outer = await workflow(acme.live, running(await workflow(acme.live, PAUSE), wait=False), HELLO)

    found = await run(acme.live, outer, name="Eva")

    child = await child_of(acme, found)
    assert found["status"] == "completed"
    assert step_of(found, "other")["output"] == {
        "instance_id": child["instance_id"], "status": "running", "output": None,
    }  # fmt: skip
    assert child["finished_at"] is None


async def test_what_fails_in_the_other_run_fails_the_step(acme: Organization) -> None:
    inner = await workflow(acme.live, create_contact(), create_contact("second", email="{{ input.email }}"))

    found = await run(acme.live, await workflow(acme.live, running(inner, input={"email": "no es un correo"})))

    child = await child_of(acme, found)
    error = found["error"]
    assert (found["status"], child["status"], error["code"]) == ("failed", "failed", "VALIDATION_ERROR")
    assert (error["step_id"], error["path"]) == ("other", "other")
    assert error["run"] == {"instance_id": child["instance_id"], "step_id": "second", "path": "second"}
    assert error["details"]["field"] == "with.email"


async def test_what_fails_there_can_be_handled_here(acme: Organization) -> None:
    handler = [{"id": "told", "set": {"code": "{{ error.code }}"}}]
    outer = await workflow(acme.live, running(await workflow(acme.live, BROKEN), on_error=handler), HELLO)

    found = await run(acme.live, outer, name="Eva")

    assert found["status"] == "completed"
    assert step_of(found, "told")["output"] == {"code": "VALIDATION_ERROR"}


async def test_each_item_may_run_one(acme: Organization) -> None:
    inner = await workflow(acme.live, create_contact(name="{{ input.name }}"))
    each: Json = {
        "id": "each", "for_each": "{{ input.names }}", "concurrency": 3,
        "steps": [running(inner, input={"name": "{{ item }}"})],
    }  # fmt: skip

    found = await run(acme.live, await workflow(acme.live, each), names=["Ana", "Eva", "Luis"])

    assert found["status"] == "completed"
    assert sorted(await contact_names(acme.live)) == ["Ana", "Eva", "Luis"]
    assert {one["status"] for one in found["output"]["results"]} == {"completed"}


async def test_a_time_limit_ends_the_other_run(acme: Organization, services: Services, clock: MovableClock) -> None:
    step = {**running(await workflow(acme.live, PAUSE)), "timeout_seconds": 60}
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, step)), "waiting")
    child = await reached(acme.live, await child_of(acme, waiting), "waiting")

    later(services, clock, seconds=61)
    found = await ended(acme.live, waiting, "failed")

    child = await ended(acme.live, child, "cancelled")
    assert found["error"]["code"] == "TIMEOUT"
    assert child["error"]["code"] == "CANCELLED"
    assert step_of(child, "pause")["status"] == "cancelled"


async def test_a_branch_that_loses_ends_the_run_that_it_waits_for(acme: Organization) -> None:
    race: Json = {
        "id": "race", "join": "first",
        "parallel": {"slow": [running(await workflow(acme.live, PAUSE))], "quick": [HELLO]},
    }  # fmt: skip

    found = await run(acme.live, await workflow(acme.live, race), name="Ana")

    assert (found["status"], (await child_of(acme, found))["status"]) == ("completed", "cancelled")


async def test_a_workflow_may_run_itself_but_not_for_ever(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO)
    again = {
        "id": "more", "if": "{{ input.left > 0 }}",
        "then": [running(made, input={"left": "{{ input.left - 1 }}", "name": "x"})],
    }  # fmt: skip
    await acme.live.call("/v1/workflows/update", {"id": made["id"], "steps": [again]})

    enough = await run(acme.live, made, left=3, name="x")
    found = await run(acme.live, made, left=100, name="x")

    assert enough["status"] == "completed"
    assert (found["status"], found["error"]["code"]) == ("failed", "CONFLICT")
    assert len(await instances(acme.live, per_page=100)) == 4 + 9


@pytest.mark.parametrize("state", ["paused", "busy", "absent"])
async def test_one_that_cannot_run_fails_the_step(acme: Organization, rival: Organization, state: str) -> None:
    inner = await workflow(acme.live, PAUSE, concurrency="one")
    if state == "paused":
        await acme.live.call("/v1/workflows/pause", {"id": inner["id"]})
    elif state == "busy":
        await started(acme.live, inner)
    else:
        inner = await workflow(rival.live, PAUSE)

    found = await run(acme.live, await workflow(acme.live, running({"id": "{{ input.id }}"})), id=inner["id"])

    codes = {"paused": "CONFLICT", "busy": "WORKFLOW_ALREADY_RUNNING", "absent": "RESOURCE_NOT_FOUND"}
    assert (found["status"], found["error"]["code"]) == ("failed", codes[state])
    assert step_of(found, "other")["status"] == "failed"


async def test_an_active_workflow_names_only_workflows_that_exist(acme: Organization, rival: Organization) -> None:
    foreign = await workflow(rival.live, PAUSE)
    draft = await workflow(acme.live, running(foreign), status="draft")

    refused = await acme.live.post("/v1/workflows/create", {"name": "Outer", "steps": [running(foreign)]})
    not_activated = await acme.live.post("/v1/workflows/activate", {"id": draft["id"]})

    located = [("steps[0].run_workflow.workflow_id", "reference")]
    assert (problems(refused), problems(not_activated)) == (located, located)


async def test_it_takes_the_rights_to_all_that_the_other_one_does(acme: Organization) -> None:
    inner = await workflow(acme.live, create_contact())

    refused = await acme.key("workflows:admin").post(
        "/v1/workflows/create", {"name": "Outer", "steps": [running(inner)], "status": "active"}
    )
    made = refused.json()["data"]
    found = await run(acme.live, made)

    assert (found["status"], found["error"]["code"]) == ("failed", "AUTH_INSUFFICIENT_SCOPE")
    assert await contact_names(acme.live) == []


async def test_saving_one_takes_the_right_to_execute(acme: Organization) -> None:
    inner = await workflow(acme.live, HELLO)

    reply = await acme.key("workflows:admin").post("/v1/workflows/create", {"name": "Outer", "steps": [running(inner)]})
    refused = await acme.key("contacts:admin").post(
        "/v1/workflows/create", {"name": "Outer", "steps": [running(inner)]}
    )

    assert (reply.status_code, refused.status_code) == (200, 403)


async def test_the_other_run_is_started_once_though_the_worker_dies(
    acme: Organization, owner: psycopg.Connection
) -> None:
    outer = await workflow(acme.live, running(await workflow(acme.live, PAUSE)))
    waiting = await reached(acme.live, await started(acme.live, outer), "waiting")
    for _ in range(3):
        owner.execute(
            "update absurd.r_work r set state = 'pending', available_at = now() from workflow_instances i"
            " where i.id = %s and r.task_id = i.task_id",
            (waiting["instance_id"],),
        )

        async def is_asleep_again() -> bool:
            [(state,)] = owner.execute(
                "select r.state from absurd.r_work r join workflow_instances i on i.task_id = r.task_id"
                " where i.id = %s",
                (waiting["instance_id"],),
            ).fetchall()
            return bool(state == "sleeping")

        await until(is_asleep_again)

    assert len(await instances(acme.live)) == 2


async def test_runs_that_would_wait_for_each_other_for_ever_are_refused(acme: Organization) -> None:
    """Of workflows whose runs wait for their turn: one that runs itself, and two that run each other."""
    alone = await workflow(acme.live, HELLO, concurrency="queue")
    await acme.live.call("/v1/workflows/update", {"id": alone["id"], "steps": [running(alone)]})
    first = await workflow(acme.live, HELLO, concurrency="queue")
    second = await workflow(acme.live, running(first), concurrency="queue")
    await acme.live.call("/v1/workflows/update", {"id": first["id"], "steps": [running(second)]})

    found = [await run(acme.live, made) for made in (alone, first)]

    assert [each["error"]["code"] for each in found] == ["WORKFLOW_ALREADY_RUNNING"] * 2


async def test_it_waits_for_the_turn_of_the_other_run(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    inner = await workflow(acme.live, PAUSE, HELLO, concurrency="queue")
    first = await reached(acme.live, await started(acme.live, inner, name="Ana"), "waiting")
    waiting = await reached(
        acme.live, await started(acme.live, await workflow(acme.live, running(inner, input={"name": "Eva"}))), "waiting"
    )

    later(services, clock, seconds=3600)
    await ended(acme.live, first)
    child = await reached(acme.live, await child_of(acme, waiting), "waiting")
    later(services, clock, seconds=3600)

    assert child["queued"] is False
    assert (await ended(acme.live, waiting))["output"]["output"] == {"text": "Hola Eva"}
