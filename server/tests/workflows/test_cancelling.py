"""Cancelling runs, whatever they are doing."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.app import HANDLERS
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows.running import abandoned
from tests.workflows.arranging import (
    HELLO,
    Json,
    code_of,
    contact_names,
    create_contact,
    ended,
    events_of,
    instance,
    instances,
    later,
    reached,
    run,
    started,
    step_of,
    until,
    workflow,
)
from tests.workflows.couriers import Courier
from tests.workflows.deciding import approval, waiting_in
from tests.workflows.steering import PAUSE, called, refused, statuses, steer, task_states
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


async def test_a_run_that_has_not_begun(acme: Organization, services: Services) -> None:
    queued = await started(acme.live, await workflow(acme.live, create_contact()))

    found = await steer(acme.live, "cancel", queued, reason="Ya no hace falta")
    async with working(services, HANDLERS):
        await run(acme.live, await workflow(acme.live, HELLO), name="Ana")

    assert found["status"] == "cancelled"
    assert found["error"] == {
        "code": "CANCELLED", "message": "Ya no hace falta", "message_en": "Ya no hace falta", "step_id": None,
        "path": None, "cancelled_by": queued["started_by"],
    }  # fmt: skip
    assert found["finished_at"] is not None
    assert await contact_names(acme.live) == []
    assert statuses(await instance(acme.live, queued)) == {}


async def test_a_run_that_waits(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection, worker: None
) -> None:
    made = await workflow(acme.live, HELLO, PAUSE, create_contact())
    waiting = await reached(acme.live, await started(acme.live, made, name="Ana"), "waiting")

    await steer(acme.live, "cancel", waiting)
    later(services, clock, seconds=4000)
    await run(acme.live, await workflow(acme.live, HELLO), name="Eva")

    found = await instance(acme.live, waiting)
    assert (found["status"], found["error"]["message"]) == ("cancelled", "La ejecución se ha cancelado.")
    assert statuses(found) == {"hello": "completed", "pause": "cancelled"}
    assert step_of(found, "pause")["finished_at"] == found["finished_at"]
    assert task_states(acme, found) == ["cancelled"]
    assert await contact_names(acme.live) == []
    assert events_of(owner, acme, "workflow.failed") == []


async def test_a_run_in_a_call_to_the_outside(client: Client, courier: Courier, acme: Organization) -> None:
    answer = asyncio.Event()

    async def wait() -> None:
        await answer.wait()

    courier.on_call = [wait]
    queued = await started(client, await workflow(client, Courier.STEP, create_contact()), to="Ana")
    await called(courier, 1)

    await steer(client, "cancel", queued)
    answer.set()
    found = await run(client, await workflow(client, HELLO), name="Eva")

    cancelled = await instance(client, queued)
    assert found["status"] == "completed"
    assert (cancelled["status"], statuses(cancelled)) == ("cancelled", {"send": "cancelled"})
    assert await contact_names(client) == ["prepared"]


async def test_a_paused_run(acme: Organization, worker: None) -> None:
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, PAUSE)), "waiting")
    await steer(acme.live, "pause", waiting)

    assert (await steer(acme.live, "cancel", waiting))["status"] == "cancelled"


async def test_whoever_was_to_decide_need_not(acme: Organization, worker: None) -> None:
    waiting = await reached(
        acme.live, await started(acme.live, await workflow(acme.live, approval()), total=1), "waiting"
    )
    [asked] = await waiting_in(acme.live, waiting)

    await steer(acme.live, "cancel", waiting)

    await waiting_in(acme.live, waiting, "cancelled")
    reply = await acme.live.post(
        "/v1/workflows/decide", {"approval_id": asked["approval_id"], "decision": "approve", "comment": None}
    )
    assert code_of(reply) == (409, "CONFLICT")


async def test_those_that_it_waits_for_are_cancelled_too(acme: Organization, worker: None) -> None:
    inner = await workflow(acme.live, PAUSE)
    middle = await workflow(acme.live, {"id": "low", "run_workflow": {"workflow_id": inner["id"]}})
    outer = await workflow(
        acme.live,
        {"id": "free", "run_workflow": {"workflow_id": inner["id"], "wait": False}},
        {
            "id": "each", "for_each": [1, 2], "concurrency": 2,
            "steps": [{"id": "mid", "run_workflow": {"workflow_id": middle["id"]}}],
        },
    )  # fmt: skip
    waiting = await reached(acme.live, await started(acme.live, outer), "waiting")
    await until(lambda: _count(acme, "waiting", 6))

    await steer(acme.live, "cancel", waiting)

    found = await instances(acme.live)
    assert [each["status"] for each in found].count("cancelled") == 5
    [free] = [each for each in found if each["status"] != "cancelled"]
    assert (free["workflow_id"], free["parent_id"]) == (inner["id"], waiting["instance_id"])
    below = [each["error"] for each in found if each["status"] == "cancelled" and each["parent_id"]]
    assert {error["code"] for error in below} == {"CANCELLED"}
    assert {error["cancelled_by"] for error in below} == {None}


@pytest.mark.parametrize("ends", ["cancelled", "late"])
async def test_however_many_it_waits_for_none_is_left(
    acme: Organization,
    services: Services,
    clock: MovableClock,
    worker: None,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
) -> None:
    """More than one transaction takes, on every level."""
    monkeypatch.setattr(abandoned, "MOST_AT_ONCE", 3)
    leaf = await workflow(acme.live, PAUSE)
    middle = await workflow(acme.live, _each(2, leaf))
    root = await workflow(acme.live, {**_each(5, middle), "timeout_seconds": 60})
    going = await started(acme.live, root)
    await until(lambda: _all_are(acme, "waiting", 16))

    if ends == "cancelled":
        await steer(acme.live, "cancel", going)
        await until(lambda: _all_are(acme, "cancelled", 16))
    else:
        later(services, clock, seconds=61)
        await ended(acme.live, going, "failed")
        await until(lambda: _all_are(acme, "cancelled", 15))


async def test_a_cancelled_run_fails_the_one_that_waits_for_it(acme: Organization, worker: None) -> None:
    inner = await workflow(acme.live, PAUSE)
    outer = await workflow(acme.live, {"id": "other", "run_workflow": {"workflow_id": inner["id"]}})
    waiting = await reached(acme.live, await started(acme.live, outer), "waiting")
    [child] = await instances(acme.live, parent_id=waiting["instance_id"])

    await steer(acme.live, "cancel", child, reason="No")

    found = await ended(acme.live, waiting, "failed")
    assert (found["error"]["code"], found["error"]["message"]) == ("CANCELLED", "No")
    assert found["error"]["run"]["instance_id"] == child["instance_id"]


async def test_who_waits_for_its_end_is_told(acme: Organization, worker: None) -> None:
    made = await workflow(acme.live, PAUSE)
    reply = asyncio.create_task(acme.live.call("/v1/workflows/execute", {"workflow_id": made["id"], "async": False}))
    await until(lambda: _count(acme, "waiting", 1))
    [waiting] = await instances(acme.live)

    await steer(acme.live, "cancel", waiting)

    assert (await reply)["status"] == "cancelled"


async def test_the_next_one_in_line_has_its_turn(acme: Organization, worker: None) -> None:
    made = await workflow(acme.live, PAUSE, concurrency="queue")
    first = await reached(acme.live, await started(acme.live, made), "waiting")
    second, third = await started(acme.live, made), await started(acme.live, made)

    still_in_line = await steer(acme.live, "cancel", second)
    await steer(acme.live, "cancel", first)

    assert (still_in_line["status"], still_in_line["queued"]) == ("cancelled", False)
    assert (await reached(acme.live, third, "waiting"))["queued"] is False


async def test_one_that_has_ended_says_how(acme: Organization, worker: None) -> None:
    completed = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")
    waiting = await started(acme.live, await workflow(acme.live, PAUSE))
    await steer(acme.live, "cancel", waiting)

    first, second = await refused(acme.live, "cancel", completed), await refused(acme.live, "cancel", waiting)

    assert code_of(first) == code_of(second) == (409, "CONFLICT")
    assert first.json()["error"]["details"] == {"status": "completed"}
    assert second.json()["error"]["details"] == {"status": "cancelled"}


async def test_of_many_who_cancel_one_does(acme: Organization, worker: None) -> None:
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, PAUSE)), "waiting")

    replies = await asyncio.gather(
        *(acme.live.post("/v1/workflows/cancel_instance", {"instance_id": waiting["instance_id"]}) for _ in range(10))
    )

    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 9


async def test_the_history_tells_who_cancelled_it(acme: Organization, owner: psycopg.Connection) -> None:
    queued = await started(acme.live, await workflow(acme.live, PAUSE))

    await steer(acme.live, "cancel", queued, reason="Era una prueba")

    [entry] = owner.execute(
        "select actor, resource_id, before, after from audit_log"
        " where org_id = %s and operation = 'workflows.cancel_instance'",
        (acme.id,),
    ).fetchall()
    assert entry == (
        queued["started_by"], queued["instance_id"], {"status": "running"},
        {"status": "cancelled", "error": "Era una prueba"},
    )  # fmt: skip


async def test_a_run_cannot_cancel_itself_nor_those_that_wait_for_it(acme: Organization, worker: None) -> None:
    cancel: Json = {"id": "cancel", "uses": "workflows.cancel_instance", "with": {"instance_id": "{{ input.id }}"}}
    itself = {**cancel, "with": {"instance_id": "{{ run.id }}"}}
    inner = await workflow(acme.live, cancel)
    outer = await workflow(
        acme.live, {"id": "o", "run_workflow": {"workflow_id": inner["id"], "input": {"id": "{{ run.id }}"}}}
    )

    found = [await run(acme.live, await workflow(acme.live, itself)), await run(acme.live, outer)]

    assert [(each["status"], each["error"]["code"]) for each in found] == [("failed", "CONFLICT")] * 2


async def test_a_run_may_cancel_another(acme: Organization, worker: None) -> None:
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, PAUSE)), "waiting")
    cancel = {"id": "cancel", "uses": "workflows.cancel_instance", "with": {"instance_id": "{{ input.id }}"}}

    found = await run(acme.live, await workflow(acme.live, cancel), id=waiting["instance_id"])

    assert found["status"] == "completed"
    cancelled = await instance(acme.live, waiting)
    assert (cancelled["status"], cancelled["error"]["cancelled_by"]) == (
        "cancelled",
        f"workflow:{found['workflow_id']}",
    )


async def test_runs_that_end_while_they_are_cancelled(acme: Organization, worker: None) -> None:
    """Whichever comes first: none of it is a failure of the server, and what a run shows is what it did."""
    made = await workflow(acme.live, create_contact("a"), create_contact("b"), create_contact("c"))
    outer = await workflow(acme.live, {"id": "other", "run_workflow": {"workflow_id": made["id"]}})
    runs = [await started(acme.live, outer) for _ in range(30)]

    replies = await asyncio.gather(
        *(acme.live.post("/v1/workflows/cancel_instance", {"instance_id": each["instance_id"]}) for each in runs)
    )

    assert {reply.status_code for reply in replies} <= {200, 409}
    await until(lambda: _all_ended(acme))
    found = await instances(acme.live, per_page=100)
    done = [
        step for each in found for step in (await instance(acme.live, each))["steps"] if step["uses"] != "run_workflow"
    ]
    assert len(await contact_names(acme.live)) == sum(step["status"] == "completed" for step in done)
    assert {each["status"] for each in found} <= {"completed", "cancelled"}
    for reply, each in zip(replies, runs, strict=True):
        assert ((await instance(acme.live, each))["status"] == "cancelled") == (reply.status_code == 200)


async def _count(organization: Organization, status: str, number: int) -> bool:
    return len(await instances(organization.live, status=status)) == number


async def _all_ended(organization: Organization) -> bool:
    return all(each["finished_at"] for each in await instances(organization.live, per_page=100))


def _each(count: int, made: Json) -> Json:
    """A step that waits for so many runs of a workflow."""
    step = {"id": "other", "run_workflow": {"workflow_id": made["id"]}}
    return {"id": "each", "for_each": list(range(count)), "concurrency": count, "steps": [step]}


async def _all_are(organization: Organization, status: str, count: int) -> bool:
    return len(await instances(organization.live, status=status, per_page=100)) == count
