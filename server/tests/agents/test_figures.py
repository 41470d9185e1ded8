"""What the operator sees of executions: figures and spans."""

import httpx2
import pytest
from llmock.pytest_plugin import LLMock
from starlette.applications import Starlette

from bivelio_server.ai.generative import Configuration, GenerativeAI
from bivelio_server.kit.errors import IntegrationFailed
from tests.agents.arranging import agent, invoke, refused, scripted
from tests.following import following
from tests.observability.scrape import scraped
from tests.observability.spans import recording
from tests.scripted import SCRIPTS, says
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_executions_are_counted_and_timed_by_outcome(acme: Organization, http: httpx2.AsyncClient) -> None:
    erase = ("contacts_erase", {"id": "ct_1"})
    scripted(acme, says("Hecho"), says(calls=[erase]), IntegrationFailed(), says(calls=[("contacts_list", {})]))
    made = await agent(acme.live, "contacts.erase", "contacts.list", limits={"steps": 1})
    before = await scraped(http)

    await invoke(acme.live, made["id"])
    await invoke(acme.live, made["id"])
    await refused(acme.live, made["id"])
    await refused(acme.live, made["id"])
    after = await scraped(http)

    for name in ("bivelio_agent_executions_total", "bivelio_agent_execution_seconds_count"):
        for outcome in ("completed", "waiting_approval", "failed", "refused"):
            risen = after.value(name, outcome=outcome) - before.value(name, outcome=outcome)
            assert risen == 1, (name, outcome)


async def test_a_stream_is_a_span_with_its_model_below(acme: Organization, app: Starlette, llmock: LLMock) -> None:
    llmock.reply("Buenos días a todos.")
    ai = GenerativeAI(Configuration("openai", "gpt-4o", llmock.base_url("openai"), None, 10), None)
    SCRIPTS.give(acme.id, ai)
    made = await agent(acme.live)
    data = {"agent_id": made["id"], "input": {"text": "Hola"}, "stream": True}

    with recording() as spans:
        async with following(app, "/v1/agents/invoke", data, acme.live.headers) as reply:
            await reply.rest()
    await ai.aclose()

    assert spans.path(spans.only("ai openai")) == [
        "POST agents.invoke", "agents.invoke", "agents.invoke stream", "ai openai",
    ]  # fmt: skip
    assert "Hola" not in spans.text()


async def test_models_that_agents_name_are_one_in_the_figures(
    acme: Organization, http: httpx2.AsyncClient, llmock: LLMock
) -> None:
    llmock.reply("Hola.", times=2)
    ai = GenerativeAI(Configuration("openai", "gpt-4o", llmock.base_url("openai"), None, 10), None)
    SCRIPTS.give(acme.id, ai)
    made = await agent(acme.live, model="gpt-4.1-of-somebody")
    before = await scraped(http)

    found = await invoke(acme.live, made["id"])
    after = await scraped(http)
    await ai.aclose()

    counted = {"engine": "openai", "model": "named", "outcome": "answered"}
    assert after.value("bivelio_ai_calls_total", **counted) == before.value("bivelio_ai_calls_total", **counted) + 1
    assert "gpt-4.1-of-somebody" not in after.text
    [row] = (await acme.live.call("/v1/usage/ai"))["usage"]
    assert row["model"] == found["model"] == "gpt-4.1-of-somebody"
