"""What is kept of an execution, for whom, and for how long."""

from datetime import timedelta

import psycopg
import pytest

from bivelio_server.agents.abandoned import LOST_AFTER, end_lost
from bivelio_server.app import HANDLERS
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.agents.arranging import CLASSIFIER, agent, code_of, execution, executions, invoke, kinds, scripted
from tests.jobs.arranging import done
from tests.scripted import says
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_a_trace_tells_what_was_asked_said_and_done(acme: Organization) -> None:
    scripted(acme, says("Busco", calls=[("contacts_list", {"search": "Ana"})]), says("No hay ninguna"))
    made = await agent(acme.live, "contacts.list")

    found = await execution(acme.live, await invoke(acme.live, made["id"], "¿Conocemos a Ana?"))

    prompt, first, tool, last = found["trace"]
    assert "Help with contacts." in prompt["detail"]["instructions"]
    assert prompt["detail"]["text"] == "¿Conocemos a Ana?"
    assert (first["detail"]["text"], first["detail"]["usage"]["prompt"]) == ("Busco", 80)
    assert first["detail"]["calls"] == [{"tool": "contacts_list", "arguments": {"search": "Ana"}}]
    assert tool["detail"]["result"]["contacts"] == []
    assert last["detail"]["text"] == "No hay ninguna"
    assert [entry["duration_ms"] is not None for entry in found["trace"]] == [False, True, True, True]
    assert found["input"] == {"text": "¿Conocemos a Ana?", "context": {}}


async def test_secrets_are_not_kept(acme: Organization, owner: psycopg.Connection) -> None:
    key = "bv_live_sk_" + "a" * 40
    custom = {"api_key": "hunter2", "note": f"use {key}"}
    scripted(acme, says(f"Uso {key}", calls=[("contacts_list", {"search": key})]), says("Hecho"))
    made = await agent(acme.live, "contacts.list")

    found = await invoke(acme.live, made["id"], f"Entra con {key}", context={"password": "hunter2", "more": [custom]})

    rows = owner.execute(
        "select e::text from agent_executions e where e.id = %s", (found["execution_id"],)
    ).fetchall()  # fmt: skip
    assert "hunter2" not in str(rows)
    assert key not in str(rows)


async def test_executions_are_listed_newest_first(acme: Organization, rival: Organization) -> None:
    scripted(acme, says("Hecho"))
    made = await agent(acme.live)
    first, second = await invoke(acme.live, CLASSIFIER), await invoke(acme.live, made["id"])

    assert [one["execution_id"] for one in await executions(acme.live)] == [
        second["execution_id"], first["execution_id"],
    ]  # fmt: skip
    assert [one["agent_id"] for one in await executions(acme.live, agent_id=CLASSIFIER)] == [CLASSIFIER]
    assert await executions(acme.live, status="failed") == []
    assert await executions(rival.live) == []
    foreign = await rival.live.post("/v1/agents/get_execution", {"execution_id": first["execution_id"]})
    assert code_of(foreign) == (404, "RESOURCE_NOT_FOUND")


async def test_an_execution_whose_process_died_ends_as_failed(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    scripted(acme)
    found = await invoke(acme.live, CLASSIFIER)
    going = "update agent_executions set status = 'running', completed_at = null where id = %s"
    owner.execute(going, (found["execution_id"],))

    await end_lost(services)
    assert (await execution(acme.live, found))["status"] == "running"
    clock.advance(seconds=LOST_AFTER.total_seconds() + 1)
    await end_lost(services)

    ended = await execution(acme.live, found)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "INTEGRATION_ERROR")


async def test_executions_are_kept_as_long_as_runs(
    acme: Organization, clock: MovableClock, owner: psycopg.Connection
) -> None:
    scripted(acme)
    await invoke(acme.live, CLASSIFIER)
    kept = "select prune_agent_executions(%s, %s, 10)"

    before = owner.execute(kept, (acme.id, clock.now() - timedelta(days=1))).fetchone()
    after = owner.execute(kept, (acme.id, clock.now() + timedelta(days=1))).fetchone()

    assert (before, after) == ((0,), (1,))
    assert await executions(acme.live) == []


async def test_a_person_who_is_erased_is_gone_from_executions(acme: Organization, services: Services) -> None:
    person = await acme.live.call("/v1/contacts/create", {"name": "Ana Canaria", "email": "ana@canaria.example"})
    erase = ("contacts_erase", {"id": person["id"]})
    scripted(acme, says("Veo a ana@canaria.example", calls=[("contacts_list", {})]), says("Adiós", calls=[erase]))
    made = await agent(acme.live, "contacts.list", "contacts.erase")
    found = await invoke(acme.live, made["id"], "Escribe a ana@canaria.example", context={"email": person["email"]})

    async with working(services, HANDLERS):
        await done(acme.live, "/v1/contacts/erase", {"id": person["id"]})

    kept = str(await execution(acme.live, found))
    assert "canaria" not in kept.lower()
    assert "[borrado]" in kept


async def test_a_repair_is_told(acme: Organization) -> None:
    scripted(acme, says(data={}), says(data={"subject": "a", "body": "b"}))

    found = await invoke(acme.live, "ag_email_draft")

    assert kinds((await execution(acme.live, found))["trace"])[2] == "repair"
