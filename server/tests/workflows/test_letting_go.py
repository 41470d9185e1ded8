"""What a run waited for and does not need any more is let go of, whatever comes after."""

import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.workflows.arranging import Json, ended, later, reached, started, step_of, workflow
from tests.workflows.deciding import approval, waiting_in
from tests.workflows.test_control_steps import HOUR, pause, say
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

#: Fails in the transaction in which it begins, and takes its effect back.
BAD: Json = {"id": "bad", "uses": "contacts.get", "with": {"id": "ct_unknown"}, "on_error": "continue"}


def first_of(*branch: Json) -> Json:
    """An hour, or what comes first."""
    return {"id": "both", "join": "first", "parallel": {"slow": list(branch), "quick": [pause("p")]}}


async def test_an_approval_that_lost_the_race(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, first_of(approval()), BAD, say("end"))
    waiting = await reached(acme.live, await started(acme.live, made, total=3), "waiting")

    later(services, clock, seconds=HOUR)
    found = await ended(acme.live, waiting)

    assert step_of(found, "bad")["status"] == "failed"
    await waiting_in(acme.live, found, "cancelled")


async def test_a_run_that_lost_the_race(acme: Organization, services: Services, clock: MovableClock) -> None:
    other = await workflow(acme.live, pause("long", 24 * HOUR))
    run_other = {"id": "other", "run_workflow": {"workflow_id": other["id"]}}
    made = await workflow(acme.live, first_of(run_other), BAD, say("end"))
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")

    later(services, clock, seconds=HOUR)
    found = await ended(acme.live, waiting)

    page = await acme.live.call("/v1/workflows/instances", {"parent_id": found["instance_id"]})
    assert [child["status"] for child in page["instances"]] == ["cancelled"]


async def test_what_an_error_handler_asked_before_it_stopped(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    stop = {"id": "stop", "stop": {"status": "failed", "message": "Basta"}}
    handler = {"id": "two", "parallel": {"ask": [approval()], "stop": [pause("p"), stop]}}
    broken = {"id": "broken", "set": {"value": "{{ 1 / 0 }}"}}
    made = await workflow(acme.live, broken, on_error=[handler])
    waiting = await reached(acme.live, await started(acme.live, made, total=3), "waiting")

    later(services, clock, seconds=HOUR)
    found = await ended(acme.live, waiting, "failed")

    assert found["error"]["message"] == "Basta"
    await waiting_in(acme.live, found, "cancelled")
