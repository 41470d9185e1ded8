"""A workflow can be carried elsewhere as a JSON document."""

from decimal import Decimal
from typing import Any

import pytest

from tests.workflows.arranging import HELLO, code_of, create_contact, exact, on, problems, run, workflow
from tests.world import Organization

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
EXPORT, IMPORT, GET = "/v1/workflows/export", "/v1/workflows/import", "/v1/workflows/get"
WHOLE: Json = {
    "name": "Alta de cliente",
    "description": "Crea el contacto y lo saluda",
    "concurrency": "one",
    "steps": [
        {**create_contact(custom_fields={"rate": Decimal("1.10")}), "name": "Crear", "retry": {"attempts": 2}},
        {"id": "vip", "if": "{{ input.vip == true }}", "then": [HELLO], "on_error": "continue"},
    ],
    "output": {"id": "{{ steps.contact.output.id }}"},
    "on_error": [{"id": "sorry", "set": {"why": "{{ error.message }}"}}],
    "timeout_seconds": 3600,
    "input_schema": {"type": "object", "properties": {"vip": {"type": "boolean", "default": False}}},
    **on("contact.updated"),
}


async def exported(acme: Organization, **fields: Any) -> Json:
    made = await exact(acme.live, "/v1/workflows/create", {**WHOLE, **fields})
    document: Json = await exact(acme.live, EXPORT, {"id": made["id"]})
    return document


async def test_a_document_holds_all_of_a_workflow_and_nothing_of_its_organization(acme: Organization) -> None:
    document = await exported(acme, note="Para Bilbao")

    assert document == {
        **WHOLE, "format": "bivelio.workflow", "format_version": 1, "api_version": "2026-04-07", "version": 1,
        "references": [],
    }  # fmt: skip


async def test_it_comes_back_as_it_was_in_another_organization(acme: Organization, rival: Organization) -> None:
    document = await exported(acme)

    made = await exact(rival.live, IMPORT, {"document": document, "note": "De Bilbao"})

    assert (made["status"], made["version"]) == ("draft", 1)
    assert {name: made[name] for name in WHOLE} == WHOLE
    assert await exact(rival.live, EXPORT, {"id": made["id"]}) == document
    [first] = (await rival.live.call("/v1/workflows/list_versions", {"id": made["id"]}))["versions"]
    assert first["note"] == "De Bilbao"


async def test_an_earlier_version_can_be_exported(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO, name="Uno")
    await acme.live.call("/v1/workflows/update", {"id": made["id"], "name": "Dos"})

    document = await acme.live.call(EXPORT, {"id": made["id"], "version": 1})
    missing = await acme.live.post(EXPORT, {"id": made["id"], "version": 3})

    assert (document["name"], document["version"]) == ("Uno", 1)
    assert (code_of(missing), missing.json()["error"]["details"]) == ((404, "RESOURCE_NOT_FOUND"), {"field": "version"})


async def test_what_it_names_of_the_organization_is_listed(acme: Organization) -> None:
    contact = await acme.live.call("/v1/contacts/create", {"name": "Ana"})
    other = await workflow(acme.live, HELLO)
    made = await workflow(
        acme.live,
        {"id": "look", "uses": "contacts.get", "with": {"id": contact["id"]}},
        {"id": "go", "if": "{{ true }}", "then": [{"id": "sub", "run_workflow": {"workflow_id": other["id"]}}]},
        {"id": "none", "set": {"a": "steps_contact", "b": f"{contact['id']}0"}},
        output={"same": f"{{{{ input.id == '{contact['id']}' }}}}"},
    )

    document = await acme.live.call(EXPORT, {"id": made["id"]})

    assert document["references"] == [
        {"path": "steps[0].with.id", "id": contact["id"]},
        {"path": "steps[1].then[0].run_workflow.workflow_id", "id": other["id"]},
        {"path": "output.same", "id": contact["id"]},
    ]


@pytest.mark.usefixtures("worker")
async def test_an_imported_workflow_runs(acme: Organization) -> None:
    document = {"format": "bivelio.workflow", "format_version": 1, "name": "Hola", "steps": [HELLO]}

    made = await acme.live.call(IMPORT, {"document": document, "status": "active"})

    assert (await run(acme.live, made, name="Ana"))["output"] == {"text": "Hola Ana"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"steps": [HELLO, {"id": "b", "uses": "contacts.fly"}]}, ("document.steps[1].uses", "operation")),
        ({"steps": [create_contact(email=7)]}, ("document.steps[0].with.email", "string")),
        ({"steps": [{"id": "b", "wait": {}}]}, ("document.steps[0].wait", "required")),
        ({"output": {"x": "{{ steps.gone.output }}"}}, ("document.output.x", "reference")),
        (
            {"input_schema": {"properties": {"a": {"type": "no"}}}},
            ("document.input_schema.properties.a.type", "one_of"),
        ),
        ({"api_version": "2020-01-01"}, ("document.api_version", "one_of")),
        ({"surprise": 1}, ("document.surprise", "unknown_field")),
        ({"format": "n8n"}, ("document", "format")),
        ({"format": None}, ("document", "format")),
        ({"format_version": 2}, ("document", "format_version")),
        ({"format_version": True}, ("document", "format_version")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_problems_are_located_in_the_document(acme: Organization, change: Json, problem: tuple[str, str]) -> None:
    document = {"format": "bivelio.workflow", "format_version": 1, "name": "Hola", "steps": [HELLO], **change}

    reply = await acme.live.post(IMPORT, {"document": document})

    assert problems(reply) == [problem]


@pytest.mark.parametrize("document", [{"nodes": [], "connections": {}}, {}])
async def test_a_document_of_another_product_is_refused_as_a_whole(acme: Organization, document: Json) -> None:
    reply = await acme.live.post(IMPORT, {"document": document})

    assert problems(reply) == [("document", "format")]
    assert "bivelio.workflow" in reply.json()["error"]["message"]


async def test_importing_asks_for_the_rights_to_all_that_it_does(acme: Organization) -> None:
    document = await exported(acme)

    reply = await acme.key("workflows:admin").post(IMPORT, {"document": {**document, "steps": [create_contact()]}})

    assert code_of(reply) == (403, "AUTH_INSUFFICIENT_SCOPE")
