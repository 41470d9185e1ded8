"""An execution that breaks off at our end is over at once, and costs nothing."""

import asyncio
from typing import Any

import httpx2
import psycopg
import pytest
from starlette.applications import Starlette

from bivelio_server.ai.port import Prompt, Reply
from bivelio_server.kit.context import Services
from tests.agents.arranging import agent, credits_used, execution, executions, kinds, scripted
from tests.following import following
from tests.scripted import says
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

DEFECT = KeyError("a defect")


async def ended(client: Client) -> dict[str, Any]:
    """The only execution there is."""
    [found] = await executions(client)
    return await execution(client, found)


async def test_a_defect_ends_the_execution_with_what_was_done(acme: Organization, app: Starlette) -> None:
    scripted(acme, says(calls=[("contacts_list", {})]), DEFECT)
    made = await agent(acme.live, "contacts.list")
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as http:
        asked = {"agent_id": made["id"], "input": {"text": "Hola"}}
        reply = await Client(http, acme.live.headers).post("/v1/agents/invoke", asked)

    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    found = await ended(acme.live)
    assert (found["status"], found["error"]["code"]) == ("failed", "INTERNAL_ERROR")
    assert kinds(found["trace"]) == ["prompt", "model", "tool"]
    assert (found["tokens_used"], found["credits_consumed"]) == (100, 0)
    assert await credits_used(acme.live) == (0, 0)


async def test_a_defect_is_the_last_event_of_a_stream(acme: Organization, app: Starlette) -> None:
    scripted(acme, DEFECT)
    made = await agent(acme.live)
    data = {"agent_id": made["id"], "input": {"text": "Hola"}, "stream": True}

    async with following(app, "/v1/agents/invoke", data, acme.live.headers) as reply:
        events = await reply.rest()

    assert [(event.name, event.data["code"]) for event in events] == [("error", "INTERNAL_ERROR")]
    assert (await ended(acme.live))["status"] == "failed"
    assert await credits_used(acme.live) == (0, 0)


async def test_a_defect_ends_it_also_after_the_client_of_its_stream_has_gone(
    acme: Organization, app: Starlette, services: Services
) -> None:
    going, answer = asyncio.Event(), asyncio.Event()

    async def breaks(_prompt: Prompt) -> Reply:
        going.set()
        await answer.wait()
        raise DEFECT

    scripted(acme, breaks)
    made = await agent(acme.live)
    data = {"agent_id": made["id"], "input": {"text": "Hola"}, "stream": True}
    async with following(app, "/v1/agents/invoke", data, acme.live.headers):
        await going.wait()

    answer.set()
    await services.streams.finish(10)

    assert (await ended(acme.live))["status"] == "failed"
    assert await credits_used(acme.live) == (0, 0)


async def test_a_tool_that_takes_too_long_is_broken_off_by_the_agents_seconds(
    acme: Organization, owner: psycopg.Connection
) -> None:
    create = ("contacts_create", {"name": "Ana"})
    scripted(acme, says(calls=[create]))
    made = await agent(acme.live, "contacts.create", limits={"seconds": 1})
    data = {"agent_id": made["id"], "input": {"text": "Hola"}}

    with psycopg.connect(owner.info.dsn, password=owner.info.password) as held:
        held.execute("lock table contacts in exclusive mode")
        reply = await acme.live.post("/v1/agents/invoke", data)

    assert (reply.status_code, reply.json()["error"]["details"]["limit"]) == (422, "seconds")
    found = await ended(acme.live)
    assert found["trace"][-1]["detail"]["status"] == "failed"
    assert (await acme.live.call("/v1/contacts"))["contacts"] == []
