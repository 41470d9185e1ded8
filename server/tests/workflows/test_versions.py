"""Every save is a version with its author and its note; earlier ones can be looked at and brought back."""

from typing import Any

import psycopg
import pytest

from tests.workflows.arranging import (
    HELLO,
    code_of,
    create_contact,
    instances,
    on,
    problems,
    reacted,
    run,
    workflow,
)
from tests.world import Organization

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
GET, UPDATE, EXECUTE = "/v1/workflows/get", "/v1/workflows/update", "/v1/workflows/execute"
LIST, VERSION = "/v1/workflows/list_versions", "/v1/workflows/get_version"
RESTORE, DELETE = "/v1/workflows/restore_version", "/v1/workflows/delete"
GOODBYE: Json = {"id": "hello", "set": {"text": "Adiós {{ input.name }}"}}


@pytest.fixture
async def saved(acme: Organization) -> Json:
    """A workflow in its second version."""
    made = await workflow(acme.live, HELLO, name="Uno", description="Saluda", note="La primera", concurrency="one")
    changed: Json = await acme.live.call(
        UPDATE,
        {
            "id": made["id"], "name": "Dos", "description": None, "steps": [GOODBYE, create_contact()],
            "concurrency": "many", "note": "Se despide", **on("contact.created"),
        },
    )  # fmt: skip
    return changed


async def test_every_save_is_kept_with_its_author_and_note(acme: Organization, saved: Json) -> None:
    page = await acme.live.call(LIST, {"id": saved["id"]})

    assert [(kept["version"], kept["name"], kept["note"]) for kept in page["versions"]] == [
        (2, "Dos", "Se despide"),
        (1, "Uno", "La primera"),
    ]
    assert page["pagination"] == {"page": 1, "per_page": 20, "total": 2, "total_pages": 1}
    newest = page["versions"][0]
    assert newest["created_by"].startswith("key:")
    assert newest["created_at"] == saved["updated_at"]
    assert newest["api_version"] == "2026-04-07"
    assert "steps" not in newest


async def test_a_version_is_kept_as_it_was_saved(acme: Organization, saved: Json) -> None:
    first = await acme.live.call(VERSION, {"id": saved["id"], "version": 1})

    assert (first["name"], first["description"], first["concurrency"]) == ("Uno", "Saluda", "one")
    assert (first["steps"], first["trigger"], first["output"]) == ([HELLO], {"type": "manual"}, None)
    assert (first["note"], first["restored_from"]) == ("La primera", None)


@pytest.mark.parametrize("version", [3, 2_147_483_647])
async def test_a_version_that_is_not_there(acme: Organization, saved: Json, version: int) -> None:
    for path in (VERSION, RESTORE):
        reply = await acme.live.post(path, {"id": saved["id"], "version": version})

        assert code_of(reply) == (404, "RESOURCE_NOT_FOUND")
        assert reply.json()["error"]["details"]["field"] == "version"


@pytest.mark.parametrize("version", [0, -1, 2_147_483_648, "1", None])
async def test_what_is_no_version(acme: Organization, saved: Json, version: Any) -> None:
    assert (await acme.live.post(VERSION, {"id": saved["id"], "version": version})).status_code == 400


async def test_restoring_brings_all_of_a_version_back_as_a_new_one(acme: Organization, saved: Json) -> None:
    restored = await acme.live.call(RESTORE, {"id": saved["id"], "version": 1, "note": "Mejor como antes"})

    first, third = [await acme.live.call(VERSION, {"id": saved["id"], "version": number}) for number in (1, 3)]
    told = {"version", "note", "created_at", "restored_from"}
    assert _without(third, told) == _without(first, told)
    assert (third["note"], third["restored_from"]) == ("Mejor como antes", 1)
    assert restored == await acme.live.call(GET, {"id": saved["id"]})
    assert (restored["version"], restored["name"], restored["trigger_type"]) == (3, "Uno", "manual")
    assert (restored["steps_count"], restored["concurrency"], restored["status"]) == (1, "one", "active")


@pytest.mark.usefixtures("worker")
async def test_a_restored_trigger_is_listened_to_again(
    acme: Organization, saved: Json, owner: psycopg.Connection
) -> None:
    await acme.live.call(RESTORE, {"id": saved["id"], "version": 1})
    await acme.live.call("/v1/contacts/create", {"name": "Ana"})
    await reacted(acme, owner)
    silent = await instances(acme.live)

    await acme.live.call(RESTORE, {"id": saved["id"], "version": 2})
    await acme.live.call("/v1/contacts/create", {"name": "Eva"})
    await reacted(acme, owner)

    assert silent == []
    assert [run["input"]["data"]["name"] for run in await instances(acme.live) if run["trigger_type"] == "event"] == [
        "Eva"
    ]


async def test_restoring_what_is_there_changes_nothing(acme: Organization, saved: Json) -> None:
    assert await acme.live.call(RESTORE, {"id": saved["id"], "version": 2}) == saved


async def test_restoring_minds_what_others_have_saved(acme: Organization, saved: Json) -> None:
    reply = await acme.live.post(RESTORE, {"id": saved["id"], "version": 1, "if_version": 1})

    assert code_of(reply) == (409, "CONFLICT")
    assert await acme.live.call(GET, {"id": saved["id"]}) == saved


async def test_restoring_asks_for_the_rights_to_all_that_it_does(acme: Organization) -> None:
    made = await workflow(acme.live, create_contact())
    await acme.live.call(UPDATE, {"id": made["id"], "steps": [HELLO]})

    reply = await acme.key("workflows:admin").post(RESTORE, {"id": made["id"], "version": 1})

    assert code_of(reply) == (403, "AUTH_INSUFFICIENT_SCOPE")


async def test_restoring_checks_the_definition_again(acme: Organization, saved: Json) -> None:
    acme.world.database.execute(
        "update workflow_versions set definition = jsonb_set(definition::jsonb, '{steps,0}',"
        """ '{"id": "gone", "uses": "contacts.fly", "with": {}}')"""
        " where org_id = %s and version = 1",
        (acme.id,),
    )

    reply = await acme.live.post(RESTORE, {"id": saved["id"], "version": 1})

    assert problems(reply) == [("steps[0].uses", "operation")]


@pytest.mark.usefixtures("worker")
async def test_runs_in_flight_keep_their_version(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO)
    await acme.live.call(UPDATE, {"id": made["id"], "steps": [GOODBYE]})
    second = await run(acme.live, made, name="Eva")
    await acme.live.call(RESTORE, {"id": made["id"], "version": 1})

    third = await run(acme.live, made, name="Eva")

    assert [(found["version"], found["output"]["text"]) for found in (second, third)] == [
        (2, "Adiós Eva"),
        (3, "Hola Eva"),
    ]


async def test_a_note_alone_makes_a_version(acme: Organization, saved: Json) -> None:
    noted = await acme.live.call(UPDATE, {"id": saved["id"], "note": "Revisado con la gestoría"})

    assert noted == {**saved, "version": 3, "updated_at": noted["updated_at"]}
    page = await acme.live.call(LIST, {"id": saved["id"], "per_page": 1})
    assert page["versions"][0]["note"] == "Revisado con la gestoría"


async def test_a_note_that_is_too_long(acme: Organization, saved: Json) -> None:
    reply = await acme.live.post(UPDATE, {"id": saved["id"], "note": "x" * 501})

    assert problems(reply) == [("note", "max_length")]


async def test_a_deleted_workflow_shows_no_versions(acme: Organization, saved: Json) -> None:
    await acme.live.call(DELETE, {"id": saved["id"]})

    for path in (LIST, VERSION, RESTORE):
        data = {"id": saved["id"], **({} if path == LIST else {"version": 1})}
        assert code_of(await acme.live.post(path, data)) == (404, "RESOURCE_NOT_FOUND")


async def test_the_audit_log_tells_who_restored_what(acme: Organization, saved: Json) -> None:
    await acme.live.call(RESTORE, {"id": saved["id"], "version": 1})

    page = await acme.live.call("/v1/audit/list", {"per_page": 5})
    entries = [entry for entry in page["entries"] if entry["operation"] == "workflows.restore_version"]
    assert {entry["resource_type"] for entry in entries} >= {"workflows", "workflow_versions"}


def _without(data: Json, names: set[str]) -> Json:
    return {name: value for name, value in data.items() if name not in names}
