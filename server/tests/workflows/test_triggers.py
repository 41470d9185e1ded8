"""Runs that events start."""

from typing import Any

import psycopg
import pytest

from bivelio_server.workflows.instances import MAX_DEPTH
from tests.workflows.arranging import (
    HELLO,
    create_contact,
    ended,
    events_of,
    instance,
    instances,
    on,
    reached,
    reacted,
    run,
    started,
    until,
    workflow,
)
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

CONTACT = {"id": "copy", "set": {"name": "{{ input.data.name }}", "event": "{{ input.event }}"}}


async def new_contact(client: Client, name: str = "Ana") -> dict[str, Any]:
    made: dict[str, Any] = await client.call("/v1/contacts/create", {"name": name})
    return made


@pytest.mark.usefixtures("worker")
async def test_an_event_starts_one_run_with_the_event_as_input(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, CONTACT, **on("contact.created"))

    contact = await new_contact(acme.live)
    await reacted(acme, owner)
    [triggered] = await instances(acme.live)
    found = await ended(acme.live, triggered)

    assert found["workflow_id"] == made["id"]
    del contact["possible_duplicates"]
    assert found["input"] == {"event": "contact.created", "timestamp": contact["created_at"], "data": contact}
    assert found["output"] == {"name": "Ana", "event": "contact.created"}
    assert found["trigger_type"] == "event"
    assert found["started_by"].startswith("key:")


@pytest.mark.usefixtures("worker")
async def test_every_workflow_that_listens_is_started(acme: Organization, owner: psycopg.Connection) -> None:
    listening = [await workflow(acme.live, HELLO, **on("contact.created")) for _ in range(3)]
    await workflow(acme.live, HELLO, **on("contact.updated"))
    await workflow(acme.live, HELLO)

    await new_contact(acme.live)
    await reacted(acme, owner)

    assert {found["workflow_id"] for found in await instances(acme.live)} == {made["id"] for made in listening}


@pytest.mark.usefixtures("worker")
async def test_what_was_undone_triggers_nothing(acme: Organization, owner: psycopg.Connection) -> None:
    await workflow(acme.live, HELLO, **on("contact.created"))

    reply = await acme.live.post("/v1/contacts/create", {"name": "Ana", "company_id": "ct_none"})
    await reacted(acme, owner)

    assert reply.status_code == 404
    assert await instances(acme.live) == []


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("verb", ["pause", "delete"])
async def test_only_an_active_workflow_is_started(acme: Organization, verb: str, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, HELLO, **on("contact.created"))
    await workflow(acme.live, HELLO, status="draft", **on("contact.created"))
    await acme.live.call(f"/v1/workflows/{verb}", {"id": made["id"]})

    await new_contact(acme.live)
    await reacted(acme, owner)

    assert await instances(acme.live) == []


@pytest.mark.usefixtures("worker")
async def test_an_activated_workflow_listens(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, HELLO, status="draft", **on("contact.created"))
    await acme.live.call("/v1/workflows/activate", {"id": made["id"]})

    await new_contact(acme.live)
    await reacted(acme, owner)

    assert len(await instances(acme.live)) == 1


@pytest.mark.usefixtures("worker")
async def test_another_trigger_moves_the_subscription(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, HELLO, **on("contact.created"))
    contact = await new_contact(acme.live)
    await reacted(acme, owner)

    await acme.live.call("/v1/workflows/update", {"id": made["id"], **on("contact.updated")})
    await new_contact(acme.live)
    await acme.live.call("/v1/contacts/update", {"id": contact["id"], "name": "Eva"})
    await reacted(acme, owner)

    assert [found["input"]["event"] for found in await instances(acme.live)] == ["contact.updated", "contact.created"]


@pytest.mark.usefixtures("worker")
async def test_a_manual_trigger_ends_the_subscription(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, HELLO, **on("contact.created"))
    await acme.live.call("/v1/workflows/update", {"id": made["id"], "trigger": {"type": "manual"}})

    await new_contact(acme.live)
    await reacted(acme, owner)

    assert await instances(acme.live) == []


@pytest.mark.usefixtures("worker")
async def test_a_paused_workflow_that_is_changed_stays_silent(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, HELLO, **on("contact.created"))
    await acme.live.call("/v1/workflows/pause", {"id": made["id"]})
    await acme.live.call("/v1/workflows/update", {"id": made["id"], **on("contact.created")})

    await new_contact(acme.live)
    await reacted(acme, owner)

    assert await instances(acme.live) == []


@pytest.mark.usefixtures("worker")
async def test_what_a_run_does_has_the_run_as_origin(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, create_contact())

    found = await run(acme.live, made)

    [event] = events_of(owner, acme, "contact.created")
    assert (event["origin"], event["depth"]) == (f"run:{found['instance_id']}", 1)


@pytest.mark.usefixtures("worker")
async def test_what_a_run_does_before_it_waits_wakes_the_workers(
    acme: Organization, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bivelio_server.durable.dispatcher.TICK_SECONDS", 3600)
    made = await workflow(acme.live, create_contact(), {"id": "pause", "wait": {"seconds": 3600}})
    listener = await workflow(acme.live, CONTACT, **on("contact.created"))

    waiting = await reached(acme.live, await started(acme.live, made), "waiting")
    await reacted(acme, owner)
    [triggered] = await instances(acme.live, workflow_id=listener["id"])

    assert (await ended(acme.live, triggered))["output"]["name"] == "Maria Garcia"
    assert (await instance(acme.live, waiting))["status"] == "waiting"


@pytest.mark.usefixtures("worker")
async def test_two_workflows_that_feed_each_other_stop(acme: Organization, owner: psycopg.Connection) -> None:
    rename = {
        "id": "rename",
        "uses": "contacts.update",
        "with": {"id": "{{ input.data.id }}", "tags": ["{{ run.id }}"]},
    }
    await workflow(acme.live, rename, **on("contact.created"))
    await workflow(acme.live, create_contact(), **on("contact.updated"))

    await new_contact(acme.live)
    await until(lambda: _all_ended(acme, MAX_DEPTH + 2))

    rows = owner.execute(
        "select depth, status, error ->> 'code' from workflow_instances where org_id = %s order by depth", (acme.id,)
    ).fetchall()
    assert rows[:-1] == [(depth, "completed", None) for depth in range(MAX_DEPTH + 1)]
    assert rows[-1] == (MAX_DEPTH + 1, "cancelled", "CONFLICT")


@pytest.mark.usefixtures("worker")
async def test_a_workflow_that_executes_itself_stops(acme: Organization) -> None:
    call = {"id": "call", "uses": "workflows.execute", "with": {"workflow_id": "{{ run.workflow_id }}"}}
    made = await workflow(acme.live, call)

    await run(acme.live, made)
    await until(lambda: _all_ended(acme, MAX_DEPTH + 1))

    newest, *others = await instances(acme.live)
    assert (newest["status"], newest["error"]["code"]) == ("failed", "CONFLICT")
    assert {found["status"] for found in others} == {"completed"}


@pytest.mark.usefixtures("worker")
async def test_a_workflow_hears_the_end_of_another(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, HELLO)
    report = {"id": "report", "set": {"text": "{{ input.data.output.text }}"}}
    listener = await workflow(
        acme.live, {"id": "ours", "if": f"{{{{ input.data.workflow_id == '{made['id']}' }}}}", "then": [report]},
        **on("workflow.completed"),
    )  # fmt: skip

    await run(acme.live, made, name="Ana")
    await reacted(acme, owner)

    first = (await instances(acme.live, workflow_id=listener["id"]))[-1]
    found = await ended(acme.live, first)
    assert [step["output"] for step in found["steps"]] == [{"branch": "then"}, {"text": "Hola Ana"}]


async def _all_ended(organization: Organization, count: int) -> bool:
    found = await instances(organization.live)
    return len(found) == count and all(item["finished_at"] for item in found)
