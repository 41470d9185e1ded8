"""How runs fail, and what stays of them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.contacts import operations as contacts
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.operations import InOneTransaction
from bivelio_server.workflows.running.walker import DEFAULT_RETRY
from tests.workflows.arranging import (
    HELLO,
    contact_names,
    create_contact,
    ended,
    events_of,
    instance,
    later,
    reached,
    run,
    started,
    step_of,
    until,
    workflow,
)
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Crashes are meant here; their tracebacks would only take time."""
    with capture_logs():
        yield


class Faulty:
    """Stands before a handler and breaks it, after its effects, as often as told."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.failures = 0
        self.error: type[Exception] = ZeroDivisionError
        self.calls = 0

    async def __call__(self, context: Context, data: Any) -> Any:
        self.calls += 1
        result = await self._handle(context, data)
        if self.calls <= self.failures:
            raise self.error
        return result


@pytest.fixture
def updating(services: Services) -> Iterator[Faulty]:
    """contacts.update, with a fault inside."""
    operation = services.catalogue.named("contacts.update")
    assert operation is not None
    faulty = Faulty(contacts.update)
    by_name = services.catalogue._by_name
    by_name[operation.name] = replace(operation, body=InOneTransaction(faulty))
    yield faulty
    by_name[operation.name] = operation


RENAME = {"id": "rename", "uses": "contacts.update", "with": {"id": "{{ steps.contact.output.id }}", "name": "Eva"}}


async def test_a_failed_step_fails_the_run_and_earlier_effects_stay(
    acme: Organization, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, create_contact(), create_contact("second", email="{{ input.email }}"), HELLO)

    found = await run(acme.live, made, email="no es un correo")

    assert (found["status"], found["output"]) == ("failed", None)
    assert (found["error"]["code"], found["error"]["step_id"]) == ("VALIDATION_ERROR", "second")
    assert found["error"]["details"]["field"] == "with.email"
    assert (found["current_step"], found["total_steps"]) == (2, 3)
    assert [step["status"] for step in found["steps"]] == ["completed", "failed"]
    failed = step_of(found, "second")
    assert failed["error"]["details"]["field"] == "with.email"
    assert (failed["input"]["email"], failed["output"], failed["attempts"]) == ("no es un correo", None, 1)
    assert await contact_names(acme.live) == ["Maria Garcia"]
    [event] = events_of(owner, acme, "workflow.failed")
    assert event["data"] == {
        "instance_id": found["instance_id"], "workflow_id": made["id"], "workflow_name": "Onboarding",
        "status": "failed", "duration_ms": event["data"]["duration_ms"], "output": None, "output_truncated": False,
        "error": found["error"],
    }  # fmt: skip
    assert events_of(owner, acme, "workflow.completed") == []


@pytest.mark.parametrize(
    ("step", "code", "field"),
    [
        ({"id": "a", "set": {"x": "Hola {{ input.missing }}"}}, "VALIDATION_ERROR", "set.x"),
        ({"id": "a", "if": "{{ input.name }}", "then": []}, "VALIDATION_ERROR", "if"),
        ({"id": "a", "if": "{{ input.missing }}", "then": []}, "VALIDATION_ERROR", "if"),
        ({"id": "a", "uses": "contacts.get", "with": {"id": "{{ input.name }}"}}, "RESOURCE_NOT_FOUND", "id"),
        (create_contact("a", tags="{{ input.name }}"), "VALIDATION_ERROR", "with.tags"),
        (create_contact("a", name="{{ 1 / 0 }}"), "VALIDATION_ERROR", "with.name"),
        (create_contact("a", company_id="ct_none"), "RESOURCE_NOT_FOUND", "company_id"),
    ],
)
async def test_the_error_says_where(acme: Organization, step: dict[str, Any], code: str, field: str) -> None:
    made = await workflow(acme.live, step)

    found = await run(acme.live, made, name="Ana")

    assert (found["status"], found["error"]["code"]) == ("failed", code)
    assert (found["error"]["step_id"], found["error"]["details"]["field"]) == ("a", field)
    assert step_of(found, "a")["status"] == "failed"


async def test_an_output_that_cannot_be_computed_fails_the_run(acme: Organization) -> None:
    made = await workflow(acme.live, create_contact(), output={"x": {"y": "{{ input.missing }}"}})

    found = await run(acme.live, made)

    assert (found["status"], found["error"]["step_id"]) == ("failed", None)
    assert found["error"]["details"]["field"] == "output.x.y"
    assert await contact_names(acme.live) == ["Maria Garcia"]


async def test_a_step_of_a_branch_not_taken_has_no_output(acme: Organization) -> None:
    branch = {"id": "branch", "if": "{{ false }}", "then": [HELLO]}
    made = await workflow(acme.live, branch, {"id": "after", "set": {"x": "{{ steps.hello.output.text }}"}})

    found = await run(acme.live, made, name="Ana")

    assert (found["status"], found["error"]["step_id"]) == ("failed", "after")


async def test_a_crash_of_ours_is_tried_again_later(
    acme: Organization, services: Services, clock: MovableClock, updating: Faulty
) -> None:
    updating.failures = 2
    made = await workflow(acme.live, HELLO, create_contact(), RENAME)
    queued = await started(acme.live, made, name="Ana")

    for attempt in (1, 2):
        await until(lambda: _attempts(acme, queued, attempt))  # noqa: B023 - awaited in this very round
        resting = await instance(acme.live, queued)
        later(services, clock, seconds=2**attempt)
    found = await ended(acme.live, queued)

    assert (resting["status"], resting["error"]) == ("running", None)
    assert step_of(resting, "rename")["status"] == "running"
    assert step_of(resting, "rename")["error"]["code"] == "INTERNAL_ERROR"
    assert (step_of(found, "rename")["attempts"], step_of(found, "rename")["error"]) == (3, None)
    assert await contact_names(acme.live) == ["Eva"]
    assert found["output"]["version"] == 2


@pytest.mark.parametrize("error", [ZeroDivisionError, ConnectionRefusedError])
async def test_a_crash_that_stays_fails_the_run(
    acme: Organization, services: Services, clock: MovableClock, updating: Faulty, owner: psycopg.Connection,
    error: type[Exception],
) -> None:  # fmt: skip
    updating.failures, updating.error = 100, error
    made = await workflow(acme.live, create_contact(), RENAME)
    queued = await started(acme.live, made)

    for attempt in range(1, DEFAULT_RETRY.attempts):
        await until(lambda: _attempts(acme, queued, attempt))  # noqa: B023 - awaited in this very round
        later(services, clock, seconds=2**attempt)
    found = await ended(acme.live, queued, "failed")

    assert updating.calls == DEFAULT_RETRY.attempts == step_of(found, "rename")["attempts"]
    assert (found["error"]["code"], found["error"]["step_id"]) == ("INTERNAL_ERROR", "rename")
    assert error.__name__ not in str(found)
    assert await contact_names(acme.live) == ["Maria Garcia"]
    assert events_of(owner, acme, "contact.updated") == []


async def test_a_database_that_was_away_is_no_attempt(
    acme: Organization, services: Services, clock: MovableClock, updating: Faulty
) -> None:
    updating.failures, updating.error = DEFAULT_RETRY.attempts + 1, psycopg.OperationalError
    queued = await started(acme.live, await workflow(acme.live, create_contact(), RENAME))

    async def has_ended() -> bool:
        later(services, clock, seconds=60)
        return (await instance(acme.live, queued))["finished_at"] is not None

    await until(has_ended)
    found = await ended(acme.live, queued)

    assert updating.calls == DEFAULT_RETRY.attempts + 2
    assert step_of(found, "rename")["attempts"] == 1
    assert await contact_names(acme.live) == ["Eva"]


async def test_a_retry_does_not_come_early(acme: Organization, updating: Faulty) -> None:
    updating.failures = 1
    made = await workflow(acme.live, create_contact(), RENAME)

    queued = await started(acme.live, made)
    await until(lambda: _attempts(acme, queued, 1))
    other = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")

    assert other["status"] == "completed"
    assert updating.calls == 1
    assert (await reached(acme.live, queued, "running"))["current_step"] == 2


async def test_a_run_that_was_purged_ends_quietly(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, {"id": "pause", "wait": {"seconds": 60}}, create_contact())
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")
    [(task_id,)] = owner.execute("select task_id from workflow_instances where org_id = %s", (acme.id,)).fetchall()
    owner.execute("delete from workflow_steps where instance_id = %s", (waiting["instance_id"],))
    owner.execute("delete from workflow_instances where id = %s", (waiting["instance_id"],))

    later(services, clock, seconds=60)

    async def is_done() -> bool:
        rows = owner.execute("select state from absurd.t_work where task_id = %s", (task_id,)).fetchall()
        return rows == [("completed",)]

    await until(is_done)
    assert await contact_names(acme.live) == []


async def _attempts(organization: Organization, queued: dict[str, Any], count: int) -> bool:
    steps = (await instance(organization.live, queued))["steps"]
    return any(step["attempts"] == count for step in steps if step["step_id"] == "rename")
