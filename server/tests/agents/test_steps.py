"""An agent as a step of a workflow."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed
from tests.agents.arranging import CLASSIFIER, agent, audited, credits_used, executions, names_of_contacts, scripted
from tests.scripted import says
from tests.workflows.arranging import Json, ended, instance, later, run, started, until, workflow
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def worker(services: Services) -> AsyncIterator[None]:
    async with working(services, HANDLERS):
        yield


def step(agent_id: str) -> Json:
    return {"id": "ask", "uses": "agents.invoke", "with": {"agent_id": agent_id, "input": {"text": "{{ input.text }}"}}}


async def test_a_workflow_goes_by_what_an_agent_found(acme: Organization) -> None:
    scripted(acme)
    made = await workflow(acme.live, step(CLASSIFIER), {"id": "told", "set": {"is": "{{ steps.ask.output.output }}"}})

    found = await run(acme.live, made, text="Quiero Enterprise")

    assert found["status"] == "completed", found
    assert found["output"]["is"]["intent"] == "plan_upgrade"
    [kept] = await executions(acme.live)
    assert (kept["cause"], kept["invoked_by"]) == (f"run:{found['instance_id']}", f"workflow:{made['id']}")
    assert await credits_used(acme.live) == (1, 0)


async def test_a_step_that_is_tried_again_uses_no_tool_twice(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    create = says(calls=[("contacts_create", {"name": "Ana"})])
    scripted(acme, create, IntegrationFailed(), create, says("Hecho"))
    helper = await agent(acme.live, "contacts.create")
    queued = await started(acme.live, await workflow(acme.live, step(helper["id"])), text="Crea a Ana")

    async def has_ended() -> bool:
        later(services, clock, seconds=16)
        return (await instance(acme.live, queued))["finished_at"] is not None

    await until(has_ended)
    found = await ended(acme.live, queued)

    assert found["output"]["output"] == {"text": "Hecho"}
    assert await names_of_contacts(acme.live) == ["Ana"]
    assert len(audited(owner, acme, "contacts.create")) == 1
    [kept] = await executions(acme.live)
    assert kept["status"] == "completed"
    assert await credits_used(acme.live) == (1, 0)
