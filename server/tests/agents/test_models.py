"""An agent's own model: another one of the provider's, or what the server carries."""

from typing import Any

import pytest

from bivelio_server.ai.generative import Configuration, GenerativeAI
from tests.agents.arranging import agent, code_of, credits_used, execution, invoke, refused, scripted
from tests.scripted import MODEL, SCRIPTS, Scripted, says
from tests.world import Organization

pytestmark = pytest.mark.anyio

LABELS: list[dict[str, Any]] = [{"name": name, "description": name} for name in ("urgent", "ordinary")]


async def test_an_agent_is_run_by_the_model_that_it_names(acme: Organization) -> None:
    ai = scripted(acme, says("uno"), says("dos"))
    own = await agent(acme.live, model="scripted-large")
    usual = await agent(acme.live)

    await invoke(acme.live, own["id"])
    await invoke(acme.live, usual["id"])

    assert ai.asked == ["scripted-large", MODEL]
    assert [one["model"] for one in (await acme.live.call("/v1/agents/list"))["agents"][:2]] == [MODEL, MODEL]


async def test_a_model_that_the_provider_does_not_have_is_named(acme: Organization) -> None:
    scripted(acme)
    made = await agent(acme.live, model="gemini-9")

    reply = await refused(acme.live, made["id"])

    assert code_of(reply) == (422, "INTEGRATION_ERROR")
    error = reply.json()["error"]
    assert (error["details"]["field"], error["details"]["wanted"]) == ("model", "gemini-9")
    assert (error["details"]["configured"], error["details"]["retryable"]) == (MODEL, False)
    assert "gemini-9" in error["message"]
    assert (await execution(acme.live, error["details"]))["status"] == "failed"
    assert await credits_used(acme.live) == (0, 0)


async def test_without_a_provider_it_is_told_what_to_configure(acme: Organization) -> None:
    made = await agent(acme.live, model="gemini-2.5-pro")

    error = (await refused(acme.live, made["id"])).json()["error"]

    assert (error["code"], error["details"]["field"]) == ("INTEGRATION_ERROR", "model")
    assert (error["details"]["wanted"], error["details"]["configured"]) == ("gemini-2.5-pro", "embedded")
    assert "BIVELIO_GEMINI_API_KEY" in error["message"]


async def test_embedded_keeps_a_classifier_on_this_machine(acme: Organization) -> None:
    nowhere = Configuration("gemini", "gemini-2.5-flash", "http://127.0.0.1:1", None, 1)
    SCRIPTS.give(acme.id, GenerativeAI(nowhere, Scripted(engine="embedded", model="carried", label="urgent")))
    made = await agent(acme.live, model="embedded", labels=LABELS)

    found = await invoke(acme.live, made["id"])

    assert (found["engine"], found["model"], found["output"]["intent"]) == ("embedded", "carried", "urgent")


@pytest.mark.parametrize(
    ("fields", "status", "constraint"),
    [
        ({"model": "../keys"}, 400, "pattern"),
        ({"model": "a?b=c"}, 400, "pattern"),
        ({"model": "openai:gpt-5"}, 422, "provider"),
        ({"model": "anthropic:claude"}, 422, "provider"),
        ({"model": "embedded:e5", "labels": LABELS}, 422, "provider"),
        ({"model": "embedded"}, 422, "labels"),
    ],
)
async def test_what_can_be_known_beforehand_is_refused_when_it_is_defined(
    acme: Organization, fields: dict[str, Any], status: int, constraint: str
) -> None:
    SCRIPTS.give(acme.id, Scripted(engine="gemini"))
    made = await agent(acme.live)

    for path, given in (("create", {"name": "Otro", "instructions": "Help."}), ("update", {"id": made["id"]})):
        reply = await acme.live.post(f"/v1/agents/{path}", {**given, **fields})

        assert code_of(reply) == (status, "VALIDATION_ERROR"), path
        assert reply.json()["error"]["details"]["field"] == "model"
        assert reply.json()["error"]["details"]["constraint"] == constraint


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "gemini:gemini-2.5-pro", "tunedModels/ours-7", "embedded"])
async def test_names_of_models_are_kept_as_they_are_written(acme: Organization, model: str) -> None:
    SCRIPTS.give(acme.id, Scripted(engine="gemini"))

    made = await agent(acme.live, model=model, labels=LABELS)

    assert made["model"] == model


@pytest.mark.parametrize("model", ["qwen3:8b", "gemini:gemini-2.5-pro", "openai:gpt-5"])
async def test_without_a_provider_any_may_be_configured_yet(acme: Organization, model: str) -> None:
    assert (await agent(acme.live, model=model))["model"] == model
