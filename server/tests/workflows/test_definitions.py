"""Defining workflows: create, get, list, update, activate, pause, delete."""

from decimal import Decimal
from typing import Any

import pytest

from bivelio_server.kit import json
from tests.workflows.arranging import (
    HELLO,
    code_of,
    create_contact,
    exact,
    instance,
    instances,
    on,
    run,
    started,
    workflow,
)
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

GET, LIST, UPDATE = "/v1/workflows/get", "/v1/workflows", "/v1/workflows/update"
ACTIVATE, PAUSE, DELETE = "/v1/workflows/activate", "/v1/workflows/pause", "/v1/workflows/delete"
EXECUTE = "/v1/workflows/execute"


@pytest.fixture
async def hello(acme: Organization) -> dict[str, Any]:
    return await workflow(acme.live, HELLO)


async def test_a_created_workflow_is_active_and_in_its_first_version(acme: Organization) -> None:
    made = await workflow(acme.live, create_contact(), HELLO, description="Para clientes nuevos")

    assert made["id"].startswith("wf_")
    assert {name: made[name] for name in ("name", "description", "status", "version", "concurrency")} == {
        "name": "Onboarding", "description": "Para clientes nuevos", "status": "active", "version": 1,
        "concurrency": "many",
    }  # fmt: skip
    assert (made["trigger_type"], made["trigger"], made["steps_count"]) == ("manual", {"type": "manual"}, 2)
    assert made["output"] is None
    assert await acme.live.call(GET, {"id": made["id"]}) == made


async def test_a_draft_is_only_kept(acme: Organization) -> None:
    draft = await workflow(acme.live, HELLO, status="draft")

    refused = await acme.live.post(EXECUTE, {"workflow_id": draft["id"]})

    assert draft["status"] == "draft"
    assert code_of(refused) == (409, "CONFLICT")


async def test_the_definition_is_kept_exactly(acme: Organization) -> None:
    given = {
        "id": "contact",
        "uses": "contacts.create",
        "with": {
            "name": "{{ input.name }}",
            "custom_fields": {
                "rate": Decimal("1.10"),
                "count": 3,
                "flag": True,
                "none": None,
                "list": [Decimal("0.5")],
            },
        },
    }

    made = await exact(
        acme.live, "/v1/workflows/create", {"name": "Exacto", "steps": [given], "output": {"total": Decimal("100.00")}}
    )

    assert await exact(acme.live, GET, {"id": made["id"]}) == made
    assert json.dumps(made["steps"]) == json.dumps([given])
    assert json.dumps(made["output"]) == json.dumps({"total": Decimal("100.00")})


async def test_a_list_is_newest_first_and_holds_no_definitions(acme: Organization) -> None:
    names = ["Uno", "Dos", "Tres"]
    for name in names:
        await workflow(acme.live, HELLO, name=name)

    page = await acme.live.call(LIST, {"per_page": 2})

    assert [found["name"] for found in page["workflows"]] == ["Tres", "Dos"]
    assert page["pagination"] == {"page": 1, "per_page": 2, "total": 3, "total_pages": 2}
    assert "steps" not in page["workflows"][0]


async def test_a_list_may_be_of_one_status(acme: Organization, hello: dict[str, Any]) -> None:
    draft = await workflow(acme.live, HELLO, status="draft")
    paused = await workflow(acme.live, HELLO)
    await acme.live.call(PAUSE, {"id": paused["id"]})

    listed = {status: await _ids(acme.live, status=status) for status in ("active", "draft", "paused")}

    assert listed == {"active": [hello["id"]], "draft": [draft["id"]], "paused": [paused["id"]]}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("dia", ["Cierre del día"]),
        ("DÍA cierre", ["Cierre del día"]),
        ("gestoria", ["Aviso"]),
        ("100%", ["Aviso"]),
        ("100_", []),
        ("aviso cierre", []),
        ("  ", ["Aviso", "Cierre del día"]),
    ],
)
async def test_a_list_may_be_searched(acme: Organization, search: str, found: list[str]) -> None:
    await workflow(acme.live, HELLO, name="Cierre del día")
    await workflow(acme.live, HELLO, name="Aviso", description="A la Gestoría, al 100%")

    page = await acme.live.call(LIST, {"search": search})

    assert [one["name"] for one in page["workflows"]] == found


async def test_a_list_may_be_of_one_kind_of_trigger(acme: Organization, hello: dict[str, Any]) -> None:
    other = await workflow(acme.live, HELLO, **on("contact.created"))

    listed = {kind: await _ids(acme.live, trigger_type=kind) for kind in ("manual", "event", "cron")}

    assert listed == {"manual": [hello["id"]], "event": [other["id"]], "cron": []}


async def test_an_update_is_a_new_version_of_what_was_given(acme: Organization, hello: dict[str, Any]) -> None:
    changed = await acme.live.call(UPDATE, {"id": hello["id"], "name": "Bienvenida"})

    assert changed == {**hello, "name": "Bienvenida", "version": 2, "updated_at": changed["updated_at"]}


async def test_steps_trigger_output_and_concurrency_change(acme: Organization, hello: dict[str, Any]) -> None:
    changes = {
        **on("contact.created"),
        "steps": [create_contact(), {**HELLO, "id": "adios"}],
        "output": {"text": "{{ steps.adios.output.text }}"},
        "concurrency": "one",
    }

    changed = await acme.live.call(UPDATE, {"id": hello["id"], **changes})

    assert {name: changed[name] for name in changes} == changes
    assert (changed["trigger_type"], changed["steps_count"]) == ("event", 2)


@pytest.mark.parametrize("field", ["description", "output"])
async def test_null_clears(acme: Organization, field: str) -> None:
    made = await workflow(acme.live, HELLO, description="Para clientes", output={"a": 1})

    assert (await acme.live.call(UPDATE, {"id": made["id"], field: None}))[field] is None


@pytest.mark.parametrize("field", ["name", "trigger", "steps", "concurrency"])
async def test_what_must_be_there_cannot_be_null(acme: Organization, hello: dict[str, Any], field: str) -> None:
    reply = await acme.live.post(UPDATE, {"id": hello["id"], field: None})

    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == field
    assert await acme.live.call(GET, {"id": hello["id"]}) == hello


async def test_an_update_that_changes_nothing_is_no_version(acme: Organization, hello: dict[str, Any]) -> None:
    assert await acme.live.call(UPDATE, {"id": hello["id"], "name": hello["name"]}) == hello


async def test_a_step_cannot_wait_for_another_workflow(acme: Organization, hello: dict[str, Any]) -> None:
    step = {"id": "other", "uses": "workflows.execute", "with": {"workflow_id": hello["id"], "async": False}}

    reply = await acme.live.post("/v1/workflows/create", {"name": "Dos", "steps": [step]})

    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == "steps[0].with.async"


async def test_a_stale_version_is_refused(acme: Organization, hello: dict[str, Any]) -> None:
    first = await acme.live.call(UPDATE, {"id": hello["id"], "name": "Uno", "if_version": 1})

    second = await acme.live.post(UPDATE, {"id": hello["id"], "name": "Dos", "if_version": 1})

    assert code_of(second) == (409, "CONFLICT")
    assert await acme.live.call(GET, {"id": hello["id"]}) == first


async def test_a_refused_update_changes_nothing(acme: Organization, hello: dict[str, Any]) -> None:
    wrong = {"id": hello["id"], "name": "Otro", "steps": [{"id": "a", "uses": "contacts.fly"}]}

    assert (await acme.live.post(UPDATE, wrong)).status_code == 400

    assert await acme.live.call(GET, {"id": hello["id"]}) == hello


@pytest.mark.usefixtures("worker")
async def test_a_run_keeps_the_version_it_began_with(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO)
    before = await run(acme.live, made, name="Ana")
    queued = await started(acme.live, made, name="Eva")
    await acme.live.call(UPDATE, {"id": made["id"], "steps": [{**HELLO, "set": {"text": "Adiós"}}], "output": {"n": 2}})

    after = await run(acme.live, made)

    assert [found["version"] for found in (before, queued, after)] == [1, 1, 2]
    assert before["output"] == (await instance(acme.live, before))["output"] == {"text": "Hola Ana"}
    assert after["output"] == {"n": 2}


async def test_pause_and_activate(acme: Organization, hello: dict[str, Any]) -> None:
    paused = await acme.live.call(PAUSE, {"id": hello["id"]})
    refused = await acme.live.post(EXECUTE, {"workflow_id": hello["id"]})
    active = await acme.live.call(ACTIVATE, {"id": hello["id"]})

    assert [found["status"] for found in (paused, active)] == ["paused", "active"]
    assert [found["version"] for found in (paused, active)] == [1, 1]
    assert code_of(refused) == (409, "CONFLICT")
    assert (await started(acme.live, hello, name="Ana"))["status"] == "running"


async def test_a_deleted_workflow_is_gone_but_its_runs_are_not(acme: Organization, hello: dict[str, Any]) -> None:
    queued = await started(acme.live, hello, name="Ana")

    await acme.live.call(DELETE, {"id": hello["id"]})

    for path, data in (
        (GET, {"id": hello["id"]}),
        (EXECUTE, {"workflow_id": hello["id"]}),
        (DELETE, {"id": hello["id"]}),
    ):
        assert code_of(await acme.live.post(path, data)) == (404, "RESOURCE_NOT_FOUND")
    assert await _ids(acme.live) == []
    assert [found["instance_id"] for found in await instances(acme.live, workflow_id=hello["id"])] == [
        queued["instance_id"]
    ]
    assert (await instance(acme.live, queued))["workflow_name"] == hello["name"]


async def test_the_deleted_are_listed_when_asked_for(acme: Organization, hello: dict[str, Any]) -> None:
    other = await workflow(acme.live, HELLO)
    deleted = await acme.live.call(DELETE, {"id": hello["id"]})

    page = await acme.live.call(LIST, {"deleted": True})

    assert [(one["id"], one["deleted_at"]) for one in page["workflows"]] == [(hello["id"], deleted["deleted_at"])]
    assert deleted["deleted_at"]
    assert [one["id"] for one in (await acme.live.call(LIST, {}))["workflows"]] == [other["id"]]


async def test_a_deleted_workflow_comes_back_paused(acme: Organization, hello: dict[str, Any]) -> None:
    await acme.live.call(DELETE, {"id": hello["id"]})

    restored = await acme.live.call("/v1/workflows/restore", {"id": hello["id"]})

    assert restored["status"] == "paused"
    assert restored["steps"] == hello["steps"]
    assert await _ids(acme.live) == [hello["id"]]


async def _ids(client: Client, **filters: Any) -> list[str]:
    return [found["id"] for found in (await client.call(LIST, filters))["workflows"]]
