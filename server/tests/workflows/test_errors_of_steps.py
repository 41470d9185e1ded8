"""What follows when a step fails or takes too long: on_error, handlers, retries, deadlines."""

import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.workflows.arranging import ended, instance, later, reached, run, started, step_of, workflow
from tests.workflows.test_control_steps import HOUR, fail, path_statuses, pause, say
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


async def test_continue_goes_on_and_tells_the_error(acme: Organization) -> None:
    told = say("told", "{{ steps.bad.status + ' ' + steps.bad.error.code }}")
    made = await workflow(acme.live, fail("bad", on_error="continue"), told)

    found = await run(acme.live, made)

    assert (found["status"], found["output"]) == ("completed", {"value": "failed VALIDATION_ERROR"})
    assert step_of(found, "bad")["status"] == "failed"


async def test_a_step_may_have_steps_for_its_failure(acme: Organization) -> None:
    made = await workflow(acme.live, fail("bad", on_error=[say("mend", "{{ error.step_id }}")]), say("after"))

    found = await run(acme.live, made)

    assert found["status"] == "completed"
    assert step_of(found, "mend")["output"] == {"value": "bad"}
    assert path_statuses(found) == {"bad": "failed", "mend": "completed", "after": "completed"}


async def test_a_handler_may_wait(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, fail("bad", on_error=[pause("p")]), say("after"))
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")

    later(services, clock, seconds=HOUR)

    assert path_statuses(await ended(acme.live, waiting))["after"] == "completed"


async def test_a_container_handles_what_fails_within(acme: Organization) -> None:
    both = {
        "id": "both",
        "parallel": {"a": [pause("p")], "b": [fail("bad")]},
        "on_error": [say("mend", "{{ error.path }}")],
    }

    found = await run(acme.live, await workflow(acme.live, both))

    assert found["status"] == "completed"
    assert step_of(found, "mend")["output"] == {"value": "bad"}
    assert path_statuses(found)["p"] == "cancelled"


async def test_the_workflow_has_a_handler_and_fails_all_the_same(acme: Organization) -> None:
    made = await workflow(acme.live, fail("bad"), on_error=[say("tell", "{{ error.code }} en {{ error.step_id }}")])

    found = await run(acme.live, made)

    assert (found["status"], found["error"]["step_id"]) == ("failed", "bad")
    assert step_of(found, "tell")["output"] == {"value": "VALIDATION_ERROR en bad"}


async def test_a_handler_that_fails_is_told_too(acme: Organization) -> None:
    found = await run(acme.live, await workflow(acme.live, fail("bad"), on_error=[fail("worse")]))

    assert (found["error"]["step_id"], found["error"]["handler_error"]["step_id"]) == ("bad", "worse")


async def test_a_step_has_its_time(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, {**pause("p"), "timeout_seconds": 60}, say("after"))
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")

    later(services, clock, seconds=61)
    found = await ended(acme.live, waiting, "failed")

    assert (found["error"]["code"], found["error"]["step_id"]) == ("TIMEOUT", "p")


async def test_a_container_has_its_time(acme: Organization, services: Services, clock: MovableClock) -> None:
    loop = {
        "id": "each",
        "for_each": [1, 2, 3],
        "steps": [pause("p", 40)],
        "timeout_seconds": 60,
        "on_error": "continue",
    }
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, loop)), "waiting")

    later(services, clock, seconds=41)
    while "each[1].p" not in path_statuses(await instance(acme.live, waiting)):
        pass
    later(services, clock, seconds=41)
    found = await ended(acme.live, waiting)

    assert step_of(found, "each")["error"]["code"] == "TIMEOUT"
    assert path_statuses(found)["each[1].p"] == "cancelled"


async def test_a_run_has_its_time_and_its_handler(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, pause("p"), timeout_seconds=60, on_error=[say("tell", "{{ error.code }}")])
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")

    later(services, clock, seconds=61)
    found = await ended(acme.live, waiting, "failed")

    assert found["error"]["code"] == "TIMEOUT"
    assert found["error"]["message_en"].startswith("The whole run did not end within its time")
    assert step_of(found, "tell")["output"] == {"value": "TIMEOUT"}
    assert path_statuses(found)["p"] == "cancelled"
