"""Pausing and resuming runs."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.workflows.arranging import (
    HELLO,
    Json,
    code_of,
    contact_names,
    create_contact,
    ended,
    instance,
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
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


async def asleep(organization: Organization, run_: Json) -> None:
    async def is_so() -> bool:
        return task_states(organization, run_)[-1] == "sleeping"

    await until(is_so)


async def test_a_run_that_has_not_begun(acme: Organization, services: Services) -> None:
    queued = await started(acme.live, await workflow(acme.live, create_contact()))

    paused = await steer(acme.live, "pause", queued)

    assert (paused["status"], paused["finished_at"]) == ("paused", None)


async def test_what_is_paused_begins_nothing_until_it_is_resumed(acme: Organization, worker: None) -> None:
    waiting = await reached(
        acme.live, await started(acme.live, await workflow(acme.live, PAUSE, create_contact())), "waiting"
    )
    await steer(acme.live, "pause", waiting)
    await steer(acme.live, "pause", waiting)

    resumed = await steer(acme.live, "resume", waiting)

    assert resumed["status"] == "running"
    assert (await reached(acme.live, waiting, "waiting"))["status"] == "waiting"


async def test_a_wait_goes_on_counting(
    acme: Organization, services: Services, clock: MovableClock, worker: None
) -> None:
    made = await workflow(acme.live, PAUSE, create_contact())
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")
    await steer(acme.live, "pause", waiting)

    later(services, clock, seconds=3600)
    await run(acme.live, await workflow(acme.live, HELLO), name="Ana")
    await asleep(acme, waiting)
    paused, names = await instance(acme.live, waiting), await contact_names(acme.live)
    await steer(acme.live, "resume", waiting)
    found = await ended(acme.live, waiting)

    assert (paused["status"], names) == ("paused", [])
    assert await contact_names(acme.live) == ["Maria Garcia"]
    assert step_of(found, "pause")["status"] == "completed"


async def test_the_step_under_way_ends_and_nothing_follows(
    client: Client, courier: Courier, acme: Organization
) -> None:
    answer = asyncio.Event()

    async def wait() -> None:
        await answer.wait()

    courier.on_call = [wait]
    made = await workflow(client, Courier.STEP, {"id": "told", "set": {"x": 1}}, create_contact())
    queued = await started(client, made, to="Ana")
    await called(courier, 1)

    shown = await steer(client, "pause", queued)
    answer.set()
    await asleep(acme, queued)
    paused = await instance(client, queued)
    await steer(client, "resume", queued)
    found = await ended(client, queued)

    assert shown["status"] == paused["status"] == "paused"
    assert statuses(paused) == {"send": "completed"}
    assert statuses(found) == {"send": "completed", "told": "completed", "contact": "completed"}
    assert courier.keys == [f"{queued['instance_id']}:send"]


async def test_a_run_that_pauses_itself_stops_after_that_step(acme: Organization, worker: None) -> None:
    itself = {"id": "hold", "uses": "workflows.pause_instance", "with": {"instance_id": "{{ run.id }}"}}
    queued = await started(acme.live, await workflow(acme.live, itself, create_contact()))

    await asleep(acme, await reached(acme.live, queued, "paused"))
    paused = await instance(acme.live, queued)
    await steer(acme.live, "resume", queued)
    await ended(acme.live, queued)

    assert statuses(paused) == {"hold": "completed"}
    assert await contact_names(acme.live) == ["Maria Garcia"]


async def test_nobody_is_asked_by_a_run_that_has_just_been_paused(acme: Organization, worker: None) -> None:
    itself = {"id": "hold", "uses": "workflows.pause_instance", "with": {"instance_id": "{{ run.id }}"}}
    queued = await started(acme.live, await workflow(acme.live, itself, approval()), total=7)

    await asleep(acme, await reached(acme.live, queued, "paused"))

    await waiting_in(acme.live, queued, count=0)
    await steer(acme.live, "resume", queued)
    await waiting_in(acme.live, queued, count=1)


async def test_a_paused_branch_holds_all(
    acme: Organization, services: Services, clock: MovableClock, worker: None
) -> None:
    both: Json = {"id": "both", "parallel": {"a": [PAUSE, create_contact("x")], "b": [{**PAUSE, "id": "q"}]}}
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, both)), "waiting")
    await steer(acme.live, "pause", waiting)
    later(services, clock, seconds=3600)
    await run(acme.live, await workflow(acme.live, HELLO), name="Ana")
    await asleep(acme, waiting)
    before = await contact_names(acme.live)

    await steer(acme.live, "resume", waiting)

    assert (await ended(acme.live, waiting))["status"] == "completed"
    assert (before, await contact_names(acme.live)) == ([], ["Maria Garcia"])


async def test_what_has_ended_can_be_neither(acme: Organization, worker: None) -> None:
    completed = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")

    replies = [await refused(acme.live, verb, completed) for verb in ("pause", "resume")]

    assert [code_of(reply) for reply in replies] == [(409, "CONFLICT")] * 2


async def test_what_is_not_paused_can_be_resumed_without_harm(acme: Organization, worker: None) -> None:
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, PAUSE)), "waiting")

    reply = await steer(acme.live, "resume", waiting)

    assert reply["status"] == "waiting"
    assert step_of(await instance(acme.live, waiting), "pause")["status"] == "waiting"


async def test_however_often_it_is_paused_and_resumed_it_ends(acme: Organization, worker: None) -> None:
    """No wake-up is lost, and each step takes effect once."""
    moments = random.Random(7)
    made = create_contact(name="{{ 'C' + string(index) }}")
    loop: Json = {"id": "loop", "while": "{{ index < 90 }}", "max": 100, "steps": [made]}
    queued = await started(acme.live, await workflow(acme.live, loop))
    data, paused = {"instance_id": queued["instance_id"]}, 0

    for _ in range(200):
        await acme.live.post("/v1/workflows/pause_instance", data)
        await asyncio.sleep(moments.choice([0, 0, 0.002, 0.01, 0.03]))
        reply = await acme.live.post("/v1/workflows/resume_instance", data)
        await asyncio.sleep(moments.choice([0, 0, 0.005]))
        paused += reply.status_code == 200
    found = await ended(acme.live, queued)

    assert paused > 20
    assert found["status"] == "completed"
    assert await contact_names(acme.live) == [f"C{number}" for number in range(90)]
