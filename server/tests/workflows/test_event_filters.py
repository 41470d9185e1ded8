"""Which events start a workflow, and what is to be seen when that cannot be told."""

from typing import Any

import psycopg
import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.kit.context import Services
from bivelio_server.workflows.instances import MAX_DEPTH
from bivelio_server.workflows.triggers import reacting
from tests.workflows.arranging import HELLO, Json, ended, events_of, instances, problems, reacted, started, workflow
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


def when(condition: str, event: str = "contact.created") -> Json:
    return {"trigger": {"type": "event", "event": event, "if": condition}}


async def new_contact(client: Client, name: str = "Ana", **fields: Any) -> None:
    await client.call("/v1/contacts/create", {"name": name, **fields})


@pytest.mark.usefixtures("worker")
async def test_only_events_that_pass_the_filter_start_a_run(acme: Organization, owner: psycopg.Connection) -> None:
    await workflow(acme.live, HELLO, **when("{{ 'vip' in input.data.tags }}"))

    await new_contact(acme.live, "Ana", tags=["vip"])
    await new_contact(acme.live, "Eva")
    await reacted(acme, owner)

    assert [found["input"]["data"]["name"] for found in await instances(acme.live)] == ["Ana"]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("condition", "constraint"),
    [("{{ input.data.custom_fields.kind == 'x' }}", "expression"), ("{{ input.data.name }}", "boolean")],
)
async def test_a_filter_that_cannot_tell_leaves_a_failed_run_and_its_event(
    acme: Organization, owner: psycopg.Connection, condition: str, constraint: str
) -> None:
    await workflow(acme.live, HELLO, **when(condition))

    await new_contact(acme.live)
    await reacted(acme, owner)

    [found] = await instances(acme.live)
    assert (found["status"], found["error"]["code"]) == ("failed", "VALIDATION_ERROR")
    assert (found["error"]["details"]["field"], found["error"]["details"]["constraint"]) == ("trigger.if", constraint)
    assert found["input"]["data"]["name"] == "Ana"
    [event] = events_of(owner, acme, "workflow.failed")
    assert event["data"]["instance_id"] == found["instance_id"]


@pytest.mark.usefixtures("worker")
async def test_a_filter_that_fails_keeps_nobody_else_from_running(
    acme: Organization, owner: psycopg.Connection
) -> None:
    broken = await workflow(acme.live, HELLO, **when("{{ input.data.custom_fields.kind == 'x' }}"))
    fine = await workflow(acme.live, HELLO, **when("{{ input.data.name == 'Ana' }}"))

    await new_contact(acme.live)
    await reacted(acme, owner)

    assert [found["status"] for found in await instances(acme.live, workflow_id=broken["id"])] == ["failed"]
    assert len(await instances(acme.live, workflow_id=fine["id"])) == 1


@pytest.mark.usefixtures("worker")
async def test_a_broken_filter_on_failures_does_not_feed_itself_for_ever(
    acme: Organization, owner: psycopg.Connection
) -> None:
    await workflow(acme.live, HELLO, **when("{{ input.data.output.none == 1 }}", event="workflow.failed"))
    failing = await workflow(acme.live, HELLO)

    await ended(acme.live, await started(acme.live, failing), "failed")
    for _ in range(MAX_DEPTH + 3):
        await reacted(acme, owner)

    found = await instances(acme.live, per_page=100)
    assert found[0]["status"] == "cancelled"
    assert len(found) == MAX_DEPTH + 2


async def test_what_a_filter_may_name_is_checked_when_it_is_saved(acme: Organization) -> None:
    reply = await acme.live.post(
        "/v1/workflows/create", {"name": "x", "steps": [HELLO], **when("{{ steps.hello.output.text == 'x' }}")}
    )

    assert problems(reply) == [("trigger.if", "reference")]


async def test_a_crash_among_many_listeners_leaves_each_with_one_run(
    acme: Organization, services: Services, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reacting, "_BATCH", 4)
    listening = [await workflow(acme.live, HELLO, **when("{{ input.data.name == 'Ana' }}")) for _ in range(10)]
    monkeypatch.setattr(reacting, "start", dies_at(7, reacting.start))

    await new_contact(acme.live)
    async with working(services, {name: handler for name, handler in HANDLERS.items() if name == "workflows.react"}):
        await reacted(acme, owner)

    found = [each["workflow_id"] for each in await instances(acme.live, per_page=100)]
    assert sorted(found) == sorted(made["id"] for made in listening)


def dies_at(call: int, work: Any) -> Any:
    """Like `work`, but for one call of it."""
    calls = iter(range(1, 1000))

    async def broken(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            raise ConnectionError
        return await work(*args, **kwargs)

    return broken
