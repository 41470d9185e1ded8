"""What models of language were asked, by day, engine and model."""

from uuid import uuid4

import pytest

from bivelio_server.ai.port import Classified, NeedsGenerativeModel, Reply, Usage
from bivelio_server.ai.usage import Answer, count
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.origin import Door, Origin
from tests.world import Organization

pytestmark = pytest.mark.anyio

REPLY = Reply("gemini", "gemini-2.5-flash", Usage(prompt=100, output=20, cached=40, thought=5), text="Hello.")
FAILED = IntegrationFailed(details={"engine": "gemini", "model": "gemini-2.5-flash", "status": 503})


async def counted(services: Services, acme: Organization, *outcomes: Answer | IntegrationFailed) -> None:
    caller = Caller(acme.id, Environment.live, "user:x", uuid4(), frozenset({"write"}))
    for outcome in outcomes:
        async with services.database.transaction(caller) as session:
            await count(Context(caller, session, services, Origin(Door.http)), outcome)


async def test_calls_failures_and_tokens_add_up(services: Services, acme: Organization) -> None:
    await counted(services, acme, REPLY, REPLY, FAILED)

    [row] = (await acme.live.call("/v1/usage/ai"))["usage"]

    assert (row["engine"], row["model"], row["environment"]) == ("gemini", "gemini-2.5-flash", "live")
    assert (row["calls"], row["failures"]) == (3, 1)
    assert (row["prompt_tokens"], row["cached_tokens"]) == (200, 80)
    assert (row["output_tokens"], row["thought_tokens"]) == (40, 10)


async def test_models_are_counted_apart_and_found_by_name(services: Services, acme: Organization) -> None:
    await counted(services, acme, REPLY, Classified("a", 0.9, {"a": 0.9}, "embedded", "e5", Usage(prompt=7)))

    every = await acme.live.call("/v1/usage/ai")
    [row] = (await acme.live.call("/v1/usage/ai", {"engine": "embedded"}))["usage"]

    assert every["pagination"]["total"] == 2
    assert (row["model"], row["calls"], row["prompt_tokens"]) == ("e5", 1, 7)


async def test_what_no_model_was_asked_counts_for_nothing(services: Services, acme: Organization) -> None:
    await counted(services, acme, NeedsGenerativeModel())

    assert (await acme.live.call("/v1/usage/ai"))["usage"] == []


async def test_others_see_nothing_of_it(services: Services, acme: Organization, rival: Organization) -> None:
    await counted(services, acme, REPLY)

    assert (await rival.live.call("/v1/usage/ai"))["usage"] == []
    assert (await acme.sandbox.call("/v1/usage/ai"))["usage"] == []


async def test_a_span_that_ends_before_it_begins_is_refused(acme: Organization) -> None:
    reply = await acme.live.post("/v1/usage/ai", {"from": "2026-05-02", "to": "2026-05-01"})

    assert reply.status_code == 422
