"""Whose rights a workflow has: those of who activated it, then and now."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from bivelio_server.app import FEATURES
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.operations import Catalogue
from bivelio_server.kit.origin import Door
from tests.workflows.arranging import (
    HELLO,
    code_of,
    contact_names,
    create_contact,
    ended,
    events_of,
    instances,
    later,
    on,
    problems,
    reached,
    reacted,
    run,
    started,
    step_of,
    workflow,
)
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

CREATE, UPDATE, EXECUTE = "/v1/workflows/create", "/v1/workflows/update", "/v1/workflows/execute"
ACTIVATE, PAUSE = "/v1/workflows/activate", "/v1/workflows/pause"
FORBIDDEN = (403, "AUTH_INSUFFICIENT_SCOPE")
#: A step that needs the scope admin.
DEFINE = {"id": "define", "uses": "workflows.pause", "with": {"id": "{{ input.id }}"}}
RENAME = {"id": "rename", "uses": "contacts.update", "with": {"id": "{{ steps.contact.output.id }}", "name": "Eva"}}


async def test_nobody_saves_a_step_beyond_their_scopes(acme: Organization) -> None:
    narrow = acme.key("workflows:admin")
    hello = await workflow(narrow, HELLO)

    created = await narrow.post(CREATE, {"name": "x", "steps": [create_contact()]})
    updated = await narrow.post(UPDATE, {"id": hello["id"], "steps": [create_contact()]})

    assert [code_of(created), code_of(updated)] == [FORBIDDEN] * 2
    assert created.json()["error"]["details"] == {"required_scope": "write"}
    assert (await acme.live.call("/v1/workflows/get", {"id": hello["id"]}))["version"] == 1


async def test_a_step_in_a_branch_counts_too(acme: Organization) -> None:
    branch = {"id": "branch", "if": "{{ false }}", "then": [], "else": [create_contact()]}

    reply = await acme.key("workflows:admin").post(CREATE, {"name": "x", "steps": [branch]})

    assert code_of(reply) == FORBIDDEN


async def test_nobody_activates_what_is_beyond_their_scopes(acme: Organization) -> None:
    made = await workflow(acme.live, create_contact(), status="draft")

    assert code_of(await acme.key("workflows:admin").post(ACTIVATE, {"id": made["id"]})) == FORBIDDEN


@pytest.mark.parametrize("scopes", [["write"], ["workflows:write"]])
async def test_nobody_executes_what_is_beyond_their_scopes(acme: Organization, scopes: list[str]) -> None:
    made = await workflow(acme.live, {"id": "a", "if": "{{ true }}", "then": [DEFINE]})

    reply = await acme.key(*scopes).post(EXECUTE, {"workflow_id": made["id"], "input": {"id": made["id"]}})

    assert code_of(reply) == FORBIDDEN
    assert await instances(acme.live) == []


@pytest.mark.parametrize("name", ["keys.create", "keys.list", "keys.revoke"])
async def test_what_has_no_workflow_door_is_no_step(acme: Organization, name: str) -> None:
    reply = await acme.live.post(CREATE, {"name": "x", "steps": [{"id": "a", "uses": name}]})

    assert problems(reply) == [("steps[0].uses", "operation")]


def test_no_operation_that_shows_a_secret_is_a_step() -> None:
    offered = [found.name for found in Catalogue(FEATURES) if found.secret_output and Door.workflow in found.doors]

    assert offered == []


@pytest.mark.usefixtures("worker")
async def test_a_run_acts_as_its_workflow(acme: Organization) -> None:
    child = await workflow(acme.live, HELLO)
    made = await workflow(
        acme.live,
        {"id": "call", "uses": "workflows.execute", "with": {"workflow_id": child["id"], "input": {"name": "x"}}},
    )

    found = await run(acme.live, made)

    [called] = await instances(acme.live, workflow_id=child["id"])
    assert found["started_by"].startswith("key:")
    assert called["started_by"] == f"workflow:{made['id']}"


@pytest.mark.usefixtures("worker")
async def test_a_role_that_shrank_shrinks_the_workflow(acme: Organization, owner: psycopg.Connection) -> None:
    activator = acme.member("admin")
    made = await workflow(acme.key("admin", made_by=activator), HELLO, create_contact())
    set_role(owner, acme, activator, "viewer")

    found = await run(acme.live, made, name="Ana")

    assert_refused_at(found, "contact")
    assert step_of(found, "hello")["status"] == "completed"
    assert await contact_names(acme.live) == []


@pytest.mark.usefixtures("worker")
async def test_a_revoked_key_ends_what_its_workflow_may_do(acme: Organization) -> None:
    new = await acme.live.call("/v1/keys/create", {"name": "ERP", "scopes": ["admin"]})
    made = await workflow(acme.world.client(new["key"]), create_contact())
    await acme.live.call("/v1/keys/revoke", {"id": new["id"]})

    assert_refused_at(await run(acme.live, made), "contact")


@pytest.mark.usefixtures("worker")
async def test_a_member_who_left_ends_what_their_workflow_may_do(acme: Organization, owner: psycopg.Connection) -> None:
    activator = acme.member("admin")
    made = await workflow(acme.key("admin", made_by=activator), create_contact())
    owner.execute("delete from members where org_id = %s and user_id = %s", (acme.id, activator))

    assert_refused_at(await run(acme.live, made), "contact")


@pytest.mark.usefixtures("worker")
async def test_rights_count_at_every_step(acme: Organization, services: Services, clock: MovableClock) -> None:
    new = await acme.live.call("/v1/keys/create", {"name": "ERP", "scopes": ["admin"]})
    pause = {"id": "pause", "wait": {"seconds": 3600}}
    made = await workflow(acme.world.client(new["key"]), create_contact(), pause, RENAME)
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")
    await acme.live.call("/v1/keys/revoke", {"id": new["id"]})

    later(services, clock, seconds=3600)
    found = await ended(acme.live, waiting, "failed")

    assert_refused_at(found, "rename")
    assert await contact_names(acme.live) == ["Maria Garcia"]


@pytest.mark.usefixtures("worker")
async def test_frozen_rights_do_not_grow(acme: Organization, owner: psycopg.Connection) -> None:
    activator = acme.member("editor")
    # An editor defines nothing; these are the rights as they were frozen before they would have been enough.
    made = await workflow(acme.key("admin", made_by=acme.member("admin")), create_contact())
    owner.execute(
        "update workflow_versions set activated_by = %s, activated_rights = '{read}' where workflow_id = %s",
        (f"user:{activator}", made["id"]),
    )
    set_role(owner, acme, activator, "admin")

    assert_refused_at(await run(acme.live, made), "contact")


@pytest.mark.usefixtures("worker")
async def test_a_narrow_activator_makes_a_narrow_workflow(acme: Organization, owner: psycopg.Connection) -> None:
    narrow = acme.key("workflows:admin", "contacts:write")
    made = await workflow(narrow, create_contact())
    widened = await run(acme.live, made)
    owner.execute(
        "update workflow_versions set activated_rights = '{workflows:admin}' where workflow_id = %s", (made["id"],)
    )

    assert widened["status"] == "completed"
    assert_refused_at(await run(acme.live, made), "contact")


@pytest.mark.usefixtures("worker")
async def test_activating_again_freezes_anew(acme: Organization, owner: psycopg.Connection) -> None:
    first = acme.member("admin")
    made = await workflow(acme.key("admin", made_by=first), create_contact())
    set_role(owner, acme, first, "viewer")
    await acme.live.call(ACTIVATE, {"id": made["id"]})

    assert (await run(acme.live, made))["status"] == "completed"


async def test_another_organizations_runs_and_workflows_are_missing(acme: Organization, rival: Organization) -> None:
    made = await workflow(acme.live, HELLO)
    queued = await started(acme.live, made, name="Ana")

    await assert_walls(rival.live, made, queued)


@pytest.mark.parametrize(("home", "abroad"), [("live", "sandbox"), ("sandbox", "live")])
async def test_the_other_environments_runs_and_workflows_are_missing(
    acme: Organization, home: str, abroad: str
) -> None:
    made = await workflow(getattr(acme, home), HELLO)
    queued = await started(getattr(acme, home), made, name="Ana")

    await assert_walls(getattr(acme, abroad), made, queued)


@pytest.mark.usefixtures("worker")
async def test_a_run_reaches_nothing_beyond_its_walls(acme: Organization, rival: Organization) -> None:
    theirs = await rival.live.call("/v1/contacts/create", {"name": "Ajeno"})
    elsewhere = await acme.sandbox.call("/v1/contacts/create", {"name": "De prueba"})
    made = await workflow(acme.live, {"id": "get", "uses": "contacts.get", "with": {"id": "{{ input.id }}"}})

    for contact in (theirs, elsewhere):
        found = await run(acme.live, made, id=contact["id"])
        assert (found["status"], found["error"]["code"]) == ("failed", "RESOURCE_NOT_FOUND")


@pytest.mark.usefixtures("worker")
async def test_events_do_not_cross_the_walls(
    acme: Organization, rival: Organization, owner: psycopg.Connection
) -> None:
    await workflow(acme.live, HELLO, **on("contact.created"))
    await workflow(acme.sandbox, HELLO, **on("contact.created"))

    await rival.live.call("/v1/contacts/create", {"name": "Ana"})
    await acme.sandbox.call("/v1/contacts/create", {"name": "Eva"})
    for organization in (acme, rival):
        await reacted(organization, owner)

    assert await instances(acme.live) == await instances(rival.live) == []
    assert len(await instances(acme.sandbox)) == 1
    assert events_of(owner, rival, "workflow.completed") == []


async def assert_walls(stranger: Client, made: dict[str, Any], queued: dict[str, Any]) -> None:
    missing = (404, "RESOURCE_NOT_FOUND")
    for verb in ("get", "update", "activate", "pause", "delete"):
        assert code_of(await stranger.post(f"/v1/workflows/{verb}", {"id": made["id"]})) == missing
    assert code_of(await stranger.post(EXECUTE, {"workflow_id": made["id"]})) == missing
    assert code_of(await stranger.post("/v1/workflows/get_instance", {"instance_id": queued["instance_id"]})) == missing
    assert code_of(await stranger.post("/v1/workflows/instances", {"workflow_id": made["id"]})) == missing
    assert await instances(stranger) == []
    assert (await stranger.call("/v1/workflows"))["workflows"] == []


def assert_refused_at(found: dict[str, Any], step_id: str) -> None:
    assert (found["status"], found["error"]["code"]) == ("failed", "AUTH_INSUFFICIENT_SCOPE"), found
    assert found["error"]["step_id"] == step_id
    assert step_of(found, step_id)["error"]["code"] == "AUTH_INSUFFICIENT_SCOPE"


def set_role(owner: psycopg.Connection, organization: Organization, user_id: UUID, role: str) -> None:
    owner.execute("update members set role = %s where org_id = %s and user_id = %s", (role, organization.id, user_id))
