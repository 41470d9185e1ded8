"""Agents as data: what is there from the beginning, and what an organisation makes of it."""

from typing import Any

import pytest

from bivelio_server.kit.clock import MovableClock
from tests.agents.arranging import CLASSIFIER, agent, code_of, invoke, scripted
from tests.scripted import MODEL, says
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

URGENT = {"name": "urgent", "exemplars": ["¡Ya!"], "suggested_action": "call"}


async def listed(client: Client, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.call("/v1/agents/list", filters))["agents"]
    return found


async def test_a_new_organization_has_what_the_reference_shows(acme: Organization) -> None:
    scripted(acme)

    found = await listed(acme.live, status="active", category="all")

    assert found[:2] == [
        {
            "id": "ag_classifier_01",
            "name": "Clasificador de intenciones",
            "description": "Analiza texto entrante y clasifica la intencion del usuario",
            "category": "nlp",
            "status": "active",
            "model": MODEL,
            "avg_latency_ms": None,
            "invocations_today": 0,
        },
        {
            "id": "ag_email_draft",
            "name": "Redactor de emails",
            "description": "Genera borradores de respuesta a emails entrantes",
            "category": "communication",
            "status": "active",
            "model": MODEL,
            "avg_latency_ms": None,
            "invocations_today": 0,
        },
    ]


async def test_invocations_are_counted_by_the_organizations_day(acme: Organization, clock: MovableClock) -> None:
    scripted(acme)
    await invoke(acme.live, CLASSIFIER)
    await invoke(acme.live, CLASSIFIER)

    today = (await listed(acme.live, category="nlp"))[0]
    clock.advance(days=1)
    tomorrow = (await listed(acme.live, category="nlp"))[0]

    assert (today["invocations_today"], tomorrow["invocations_today"]) == (2, 0)
    assert today["avg_latency_ms"] == tomorrow["avg_latency_ms"] >= 0


async def test_an_agent_is_made_changed_paused_deleted_and_restored(acme: Organization) -> None:
    made = await agent(acme.live, "contacts.list", category="crm")
    changed = await acme.live.call("/v1/agents/update", {"id": made["id"], "name": "Nuevo", "if_version": 1})
    paused = await acme.live.call("/v1/agents/pause", {"id": made["id"]})
    assert (changed["version"], changed["tools"]) == (2, made["tools"])
    assert (paused["status"], paused["version"]) == ("paused", 2)
    assert [one["name"] for one in await listed(acme.live, status="paused")] == ["Nuevo"]

    await acme.live.call("/v1/agents/delete", {"id": made["id"]})
    assert await listed(acme.live, category="crm") == []
    assert [one["id"] for one in await listed(acme.live, deleted=True)] == [made["id"]]
    restored = await acme.live.call("/v1/agents/restore", {"id": made["id"]})

    assert (restored["status"], restored["deleted_at"]) == ("paused", None)


async def test_a_stale_change_is_refused(acme: Organization) -> None:
    made = await agent(acme.live)

    reply = await acme.live.post("/v1/agents/update", {"id": made["id"], "name": "Otro", "if_version": 7})

    assert code_of(reply) == (409, "CONFLICT")


async def test_what_is_built_in_can_be_changed_but_not_deleted(acme: Organization, rival: Organization) -> None:
    scripted(acme)
    changed = await acme.live.call("/v1/agents/update", {"id": CLASSIFIER, "name": "El nuestro"})
    deleted = await acme.live.post("/v1/agents/delete", {"id": CLASSIFIER})

    assert (changed["built_in"], changed["name"], changed["version"]) == (True, "El nuestro", 2)
    assert code_of(deleted) == (409, "CONFLICT")
    assert (await listed(acme.live))[0]["name"] == "El nuestro"
    assert (await invoke(acme.live, CLASSIFIER))["agent_name"] == "El nuestro"
    assert (await listed(rival.live))[0]["name"] == "Clasificador de intenciones"


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"instructions": " "}, 422, "instructions"),
        ({"tools": [{"operation": "contacts.nothing"}]}, 400, "tools[0].operation"),
        ({"tools": [{"operation": "keys.create"}]}, 400, "tools[0].operation"),
        ({"tools": [{"operation": "agents.update"}]}, 400, "tools[0].operation"),
        ({"tools": [{"operation": "agents.invoke"}]}, 400, "tools[0].operation"),
        ({"tools": [{"operation": "contacts.list"}, {"operation": "contacts.list"}]}, 422, "tools"),
        ({"output_schema": {"type": "nothing"}}, 400, "output_schema.type"),
        ({"labels": [{"name": "one", "description": "One"}]}, 422, "labels"),
        ({"labels": [{"name": "a", "description": "A"}, {"name": "a", "description": "B"}]}, 422, "labels[0].name"),
        (
            {"labels": [{"name": "unknown", "exemplars": ["A"]}, {"name": "b", "exemplars": ["B"]}]},
            422,
            "labels[0].name",
        ),
        ({"labels": [{"name": "a"}, {"name": "b", "description": "B"}]}, 422, "labels[0].exemplars"),
        ({"limits": {"steps": 0}}, 400, "limits.steps"),
        ({"limits": {"seconds": 101}}, 400, "limits.seconds"),
        ({"category": "With spaces"}, 400, "category"),
    ],
)
async def test_what_cannot_be_is_refused(acme: Organization, given: dict[str, Any], status: int, field: str) -> None:
    reply = await acme.live.post("/v1/agents/create", {"name": "x", "instructions": "Do.", **given})

    assert code_of(reply) == (status, "VALIDATION_ERROR")
    assert field in [problem["field"] for problem in reply.json()["error"]["details"]["errors"]]


async def test_nobody_grants_what_they_may_not_do(acme: Organization) -> None:
    narrow = acme.key("agents:admin")

    reply = await narrow.post(
        "/v1/agents/create", {"name": "x", "instructions": "Do.", "tools": [{"operation": "contacts.create"}]}
    )

    assert code_of(reply) == (403, "AUTH_INSUFFICIENT_SCOPE")


async def test_an_agent_of_labels_classifies_with_them(acme: Organization) -> None:
    scripted(acme, says(), label="urgent")
    labels = [URGENT, {"name": "calm", "exemplars": ["Sin prisa"]}]
    made = await agent(acme.live, instructions="", labels=labels)

    found = await invoke(acme.live, made["id"], "Lo necesito ya")

    assert (found["output"]["intent"], found["output"]["suggested_action"]) == ("urgent", "call")
    assert made["labels"][1] == {
        "name": "calm",
        "description": "",
        "exemplars": ["Sin prisa"],
        "suggested_action": None,
    }
