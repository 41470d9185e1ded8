"""Invoking an agent: what comes back, what is kept, what it costs."""

import psycopg
import pytest

from bivelio_server.kit.errors import IntegrationFailed
from tests.agents.arranging import (
    CLASSIFIER,
    agent,
    code_of,
    credits_used,
    execution,
    executions,
    invoke,
    kinds,
    refused,
    scripted,
)
from tests.scripted import MODEL, says
from tests.workflows.arranging import events_of
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_the_classifier_answers_as_the_reference_shows(acme: Organization, owner: psycopg.Connection) -> None:
    scripted(acme, entities={"target_plan": "enterprise"})

    found = await invoke(
        acme.live, CLASSIFIER, "El cliente quiere cambiar su plan de suscripcion a Enterprise",
        context={"client_id": "ct_abc123", "current_plan": "pro"},
    )  # fmt: skip

    assert found["execution_id"].startswith("age_")
    assert found["completed_at"].endswith("Z")
    assert found["duration_ms"] >= 0
    assert {name: found[name] for name in ("agent_id", "agent_name", "output", "tokens_used", "credits_consumed")} == {
        "agent_id": CLASSIFIER,
        "agent_name": "Clasificador de intenciones",
        "output": {
            "intent": "plan_upgrade",
            "confidence": 0.94,
            "suggested_action": "route_to_sales",
            "extracted_entities": {"target_plan": "enterprise", "client_id": "ct_abc123"},
        },
        "tokens_used": 342,
        "credits_consumed": 1,
    }
    assert (found["engine"], found["model"], found["status"]) == ("scripted", MODEL, "completed")
    [event] = events_of(owner, acme, "agent.executed")
    assert {**event["data"], "output": None} == {**found, "output": None}


async def test_a_text_that_is_nothing_known_is_unknown(acme: Organization) -> None:
    scripted(acme, label=None)

    found = await invoke(acme.live, CLASSIFIER, "asdf qwer")

    assert found["output"] == {
        "intent": "unknown",
        "confidence": 0.3,
        "suggested_action": "route_to_person",
        "extracted_entities": {},
    }


@pytest.mark.parametrize(
    ("text", "label", "plan"),
    [
        ("Quiero pasar a Enterprise", "plan_upgrade", "enterprise"),
        ("Quiero pasar de Pro a Enterprise", "plan_upgrade", "enterprise"),
        ("Quiero Starter o Enterprise", "plan_upgrade", None),
        ("Tengo un problema con Enterprise", "technical_support", None),
    ],
)
async def test_a_plan_is_told_where_there_is_no_doubt(
    acme: Organization, text: str, label: str, plan: str | None
) -> None:
    scripted(acme, label=label)

    found = await invoke(acme.live, CLASSIFIER, text, context={"current_plan": "pro"})

    assert found["output"]["extracted_entities"].get("target_plan") == plan


async def test_an_agent_of_ones_own_follows_its_instructions(acme: Organization) -> None:
    ai = scripted(acme, says("Buenos días"))
    made = await agent(acme.live, instructions="Greet.")

    found = await invoke(acme.live, made["id"], "¿Hola?", context={"hour": 9})

    assert found["output"] == {"text": "Buenos días"}
    assert found["usage"] == {"prompt": 80, "output": 20, "cached": 0, "thought": 0}
    [prompt] = ai.prompts
    assert prompt.instructions.startswith("Greet.")
    assert "¿Hola?" not in prompt.instructions


async def test_without_a_generative_model_the_writer_says_what_it_needs(acme: Organization) -> None:
    reply = await refused(acme.live, "ag_email_draft")

    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (422, "INTEGRATION_ERROR")
    assert "BIVELIO_GEMINI_API_KEY" in error["message"]
    assert error["details"]["retryable"] is False
    assert await credits_used(acme.live) == (0, 0)


async def test_a_provider_that_fails_costs_nothing_and_is_kept(acme: Organization, owner: psycopg.Connection) -> None:
    scripted(acme, IntegrationFailed(details={"provider": "overloaded"}))
    made = await agent(acme.live)

    reply = await refused(acme.live, made["id"])

    assert code_of(reply) == (503, "INTEGRATION_ERROR")
    details = reply.json()["error"]["details"]
    assert (details["retryable"], details["provider"]) == (True, "overloaded")
    assert await credits_used(acme.live) == (0, 0)
    kept = await execution(acme.live, details)
    assert (kept["status"], kept["credits_consumed"], kept["error"]["code"]) == ("failed", 0, "INTEGRATION_ERROR")
    assert kinds(kept["trace"]) == ["prompt"]
    assert events_of(owner, acme, "agent.executed") == []


async def test_an_agent_that_is_paused_is_not_invoked(acme: Organization) -> None:
    await acme.live.call("/v1/agents/pause", {"id": CLASSIFIER})

    reply = await refused(acme.live, CLASSIFIER)

    assert code_of(reply) == (409, "AGENT_INACTIVE")
    assert await executions(acme.live) == []


@pytest.mark.parametrize(
    ("length", "context", "price"),
    [(60, {}, 1), (1000, {}, 1), (60, {"note": "x" * 1000}, 2), (1001, {}, 2), (12_000, {}, 3), (50_000, {}, 5)],
)
async def test_the_price_follows_from_the_lengths(
    acme: Organization, length: int, context: dict[str, str], price: int
) -> None:
    scripted(acme)

    found = await invoke(acme.live, CLASSIFIER, "x" * length, context=context)

    assert found["credits_consumed"] == price
    assert await credits_used(acme.live) == (price, 0)


async def test_a_repeated_request_is_answered_and_charged_once(acme: Organization) -> None:
    ai = scripted(acme, says("uno"), says("dos"))
    made = await agent(acme.live)
    data = {"data": {"agent_id": made["id"], "input": {"text": "Hola"}}}
    headers = {**acme.live.headers, "Idempotency-Key": "once"}

    first = await acme.live.http.post("/v1/agents/invoke", json=data, headers=headers)
    again = await acme.live.http.post("/v1/agents/invoke", json=data, headers=headers)

    assert first.json() == again.json()
    assert len(ai.prompts) == 1
    assert await credits_used(acme.live) == (1, 0)


async def test_an_answer_that_does_not_fit_is_asked_for_once_more(acme: Organization) -> None:
    ai = scripted(acme, says(data={"subject": 1}), says(data={"subject": "Re: Hola", "body": "Buenas"}))

    found = await invoke(acme.live, "ag_email_draft")

    assert found["output"] == {"subject": "Re: Hola", "body": "Buenas"}
    assert found["tokens_used"] == 200
    assert "output.subject" in ai.prompts[1].messages[-1].text  # type: ignore[union-attr] # a message of ours
    assert kinds((await execution(acme.live, found))["trace"]) == ["prompt", "model", "repair", "model"]


async def test_an_answer_that_never_fits_fails_and_costs_nothing(acme: Organization) -> None:
    scripted(acme, says(data={"subject": 1}), says(data="no"))

    reply = await refused(acme.live, "ag_email_draft")

    assert code_of(reply) == (503, "INTEGRATION_ERROR")
    assert await credits_used(acme.live) == (0, 0)


async def test_what_no_database_keeps_is_left_out_of_what_a_model_writes(acme: Organization) -> None:
    scripted(acme, says("a\x00b\ud800"))
    made = await agent(acme.live)

    assert (await invoke(acme.live, made["id"]))["output"] == {"text": "ab?"}


async def test_what_the_model_was_asked_is_in_the_usage(acme: Organization) -> None:
    scripted(acme)

    await invoke(acme.live, CLASSIFIER, "Quiero un plan mejor")

    [row] = (await acme.live.call("/v1/usage/ai"))["usage"]
    assert (row["engine"], row["model"], row["failures"]) == ("scripted", MODEL, 0)
    assert row["calls"] >= 1
    assert row["prompt_tokens"] >= 340
