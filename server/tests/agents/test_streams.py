"""An invocation that is followed: what the model writes as it does, then the result."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from starlette.applications import Starlette

from bivelio_server.ai.port import Prompt, Reply
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed
from tests.agents.arranging import CLASSIFIER, agent, credits_used, execution, executions, scripted
from tests.following import Following, following
from tests.scripted import says
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


@pytest.fixture
def follow(app: Starlette) -> Any:
    def follow(client: Client, agent_id: str, **headers: str) -> AbstractAsyncContextManager[Following]:
        data = {"agent_id": agent_id, "input": {"text": "Hola"}, "stream": True}
        return following(app, "/v1/agents/invoke", data, {**client.headers, **headers})

    return follow


async def test_the_pieces_come_and_then_the_result_with_its_usage(acme: Organization, follow: Any) -> None:
    scripted(acme, says(calls=[("contacts_list", {})]), says("Buenos días a todos"))
    made = await agent(acme.live, "contacts.list")

    async with follow(acme.live, made["id"]) as reply:
        events = await reply.rest()

    assert reply.headers["content-type"] == "text/event-stream"
    assert [event.name for event in events] == ["delta", "tool", *["delta"] * 4, "result"]
    assert " ".join(event.data["text"] for event in events if event.name == "delta").strip() == "Buenos días a todos"
    assert events[1].data == {"operation": "contacts.list", "status": "done"}
    result = events[-1].data
    assert (result["output"], result["usage"]["prompt"], result["credits_consumed"]) == (
        {"text": "Buenos días a todos"}, 160, 1,
    )  # fmt: skip
    assert (await execution(acme.live, result))["status"] == "completed"
    assert await credits_used(acme.live) == (1, 0)


async def test_a_classification_is_its_result(acme: Organization, follow: Any) -> None:
    scripted(acme)

    async with follow(acme.live, CLASSIFIER) as reply:
        events = await reply.rest()

    assert [event.name for event in events] == ["result"]
    assert events[0].data["output"]["intent"] == "plan_upgrade"


async def test_who_goes_away_changes_nothing(acme: Organization, follow: Any, services: Services) -> None:
    going, answer = asyncio.Event(), asyncio.Event()

    async def slowly(_prompt: Prompt) -> Reply:
        going.set()
        await answer.wait()
        return says("Hecho")

    scripted(acme, slowly)
    made = await agent(acme.live)
    async with follow(acme.live, made["id"]):
        await going.wait()
    [kept] = await executions(acme.live)
    assert (kept["status"], await credits_used(acme.live)) == ("running", (0, 1))

    answer.set()
    await services.streams.finish(10)

    assert (await execution(acme.live, kept))["output"] == {"text": "Hecho"}
    assert await credits_used(acme.live) == (1, 0)


async def test_a_failure_is_the_last_event_and_costs_nothing(acme: Organization, follow: Any) -> None:
    scripted(acme, IntegrationFailed(details={"provider": "overloaded"}))
    made = await agent(acme.live)

    async with follow(acme.live, made["id"]) as reply:
        events = await reply.rest()

    assert [event.name for event in events] == ["error"]
    assert (events[0].data["code"], events[0].data["details"]["provider"]) == ("INTEGRATION_ERROR", "overloaded")
    assert await credits_used(acme.live) == (0, 0)


async def test_what_is_refused_before_it_begins_is_no_stream(acme: Organization, follow: Any) -> None:
    await acme.live.call("/v1/agents/pause", {"id": CLASSIFIER})

    async with follow(acme.live, CLASSIFIER) as reply:
        await reply.rest()

    assert (reply.status, reply.body["error"]["code"]) == (409, "AGENT_INACTIVE")


async def test_who_lost_the_stream_gets_its_result_by_the_same_key(acme: Organization, follow: Any) -> None:
    ai = scripted(acme, says("Hecho"))
    made = await agent(acme.live)
    key = {"Idempotency-Key": "once"}
    async with follow(acme.live, made["id"], **key) as reply:
        result = (await reply.rest())[-1]

    async with follow(acme.live, made["id"], **key) as again:
        await again.rest()

    assert again.headers["content-type"] == "application/json"
    assert again.body["data"] == result.data
    assert len(ai.prompts) == 1


async def test_a_process_that_stops_breaks_off_what_takes_too_long(
    acme: Organization, follow: Any, services: Services
) -> None:
    going = asyncio.Event()

    async def never(_prompt: Prompt) -> Reply:
        going.set()
        await asyncio.Event().wait()
        raise AssertionError

    scripted(acme, never)
    made = await agent(acme.live)
    async with follow(acme.live, made["id"]):
        await going.wait()

    await services.streams.finish(0.01)

    [found] = await executions(acme.live)
    assert (found["status"], found["error"]["code"]) == ("failed", "INTERNAL_ERROR")
    assert await credits_used(acme.live) == (0, 0)
