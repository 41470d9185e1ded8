"""What a run does, and what one sees of it."""

import asyncio
from decimal import Decimal
from typing import Any

import orjson
import psycopg
import pytest

from bivelio_server.kit import json
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows import operations
from tests.workflows.arranging import (
    HELLO,
    contact_names,
    create_contact,
    ended,
    events_of,
    exact,
    instance,
    instances,
    later,
    reached,
    run,
    started,
    step_of,
    workflow,
)
from tests.world import Organization

pytestmark = pytest.mark.anyio

EXECUTE = "/v1/workflows/execute"
HOUR = 3600


async def test_a_run_is_answered_at_once(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO, create_contact())

    reply = await started(acme.live, made, name="Ana")

    assert reply["instance_id"].startswith("wfi_")
    assert {name: reply[name] for name in ("workflow_id", "workflow_name", "version", "status", "input")} == {
        "workflow_id": made["id"], "workflow_name": "Onboarding", "version": 1, "status": "running",
        "input": {"name": "Ana"},
    }  # fmt: skip
    assert (reply["current_step"], reply["total_steps"]) == (1, 2)
    assert [reply[name] for name in ("output", "error", "finished_at", "duration_ms")] == [None] * 4
    assert (await instance(acme.live, reply))["steps"] == []


@pytest.mark.usefixtures("worker")
async def test_the_reply_may_wait_for_the_end(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO)

    reply = await acme.live.call(EXECUTE, {"workflow_id": made["id"], "input": {"name": "Ana"}, "async": False})

    assert (reply["status"], reply["output"]) == ("completed", {"text": "Hola Ana"})
    assert reply["finished_at"] is not None
    assert reply["duration_ms"] >= 0


@pytest.mark.usefixtures("worker")
async def test_a_reply_that_waits_too_long_is_the_running_instance(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "LONGEST_REPLY_SECONDS", 0.1)
    made = await workflow(acme.live, {"id": "pause", "wait": {"seconds": HOUR}})

    reply = await acme.live.call(EXECUTE, {"workflow_id": made["id"], "async": False})

    assert reply["status"] in ("running", "waiting")
    assert reply["finished_at"] is None


@pytest.mark.usefixtures("worker")
async def test_what_every_step_did_is_shown(acme: Organization) -> None:
    made = await workflow(
        acme.live,
        HELLO,
        create_contact(name="{{ input.name }}", tags=["{{ steps.hello.output.text }}"]),
        {"id": "vip", "if": "{{ size(steps.contact.output.tags) == 1 }}", "then": []},
    )

    found = await run(acme.live, made, name="Ana")

    hello, contact, vip = found["steps"]
    assert [step["step_id"] for step in found["steps"]] == ["hello", "contact", "vip"]
    assert [step["uses"] for step in found["steps"]] == ["set", "contacts.create", "if"]
    assert {step["status"] for step in found["steps"]} == {"completed"}
    assert {step["attempts"] for step in found["steps"]} == {1}
    assert [step["error"] for step in found["steps"]] == [None] * 3
    assert all(step["started_at"] <= step["finished_at"] for step in found["steps"])
    assert hello["output"] == {"text": "Hola Ana"}
    assert contact["input"] == {"name": "Ana", "tags": ["Hola Ana"]}
    assert (contact["output"]["name"], contact["output"]["version"]) == ("Ana", 1)
    assert vip["output"] == {"branch": "then"}
    assert (found["current_step"], found["total_steps"], found["output"]) == (3, 3, {"branch": "then"})


@pytest.mark.usefixtures("worker")
async def test_lists_hold_the_newest_run_first(acme: Organization) -> None:
    made, other = await workflow(acme.live, HELLO), await workflow(acme.live, create_contact())
    first, second = await run(acme.live, made, name="Ana"), await run(acme.live, other)
    failed = await run(acme.live, made)

    listed = {
        "all": await instances(acme.live),
        "of the workflow": await instances(acme.live, workflow_id=made["id"]),
        "failed": await instances(acme.live, status="failed"),
    }

    ids = {name: [found["instance_id"] for found in page] for name, page in listed.items()}
    assert ids["all"] == [failed["instance_id"], second["instance_id"], first["instance_id"]]
    assert ids["of the workflow"] == [failed["instance_id"], first["instance_id"]]
    assert ids["failed"] == [failed["instance_id"]]
    assert listed["all"][2] == {name: value for name, value in first.items() if name not in {"steps", "past_steps"}}


@pytest.mark.usefixtures("worker")
async def test_values_keep_their_types(acme: Organization) -> None:
    given = {
        "rate": Decimal("1.10"), "count": 3, "flag": True, "none": None, "list": [1, Decimal("0.50")], "map": {"a": "b"}
    }  # fmt: skip
    steps = [
        {"id": "same", "set": {name: f"{{{{ input.{name} }}}}" for name in given}},
        create_contact(custom_fields={"again": "{{ steps.same.output }}"}),
        {"id": "texts", "set": {"text": "{{ input.count }} a {{ input.rate }}", "sum": "{{ input.rate + 1.0 }}"}},
    ]
    output = {
        "again": "{{ steps.contact.output.custom_fields.again }}",
        "texts": "{{ steps.texts.output }}",
        "fixed": Decimal("2.50"),
    }
    made = await exact(acme.live, "/v1/workflows/create", {"name": "Tipos", "steps": steps, "output": output})

    reply = await exact(acme.live, EXECUTE, {"workflow_id": made["id"], "input": given, "async": False})

    texts = {"text": "3 a 1.10", "sum": Decimal("2.10")}
    expected = {"again": given, "texts": texts, "fixed": Decimal("2.50")}
    assert orjson.loads(json.dumps(reply["output"])) == orjson.loads(json.dumps(expected))
    assert [str(value) for value in (reply["output"]["again"]["rate"], reply["output"]["fixed"])] == ["1.10", "2.50"]
    assert reply["output"]["again"]["flag"] is True


@pytest.mark.usefixtures("worker")
async def test_braces_in_data_stay_text(acme: Organization) -> None:
    made = await workflow(
        acme.live,
        create_contact(name="{{ input.name }}"),
        {"id": "copy", "set": {"name": "{{ steps.contact.output.name }}!"}},
    )

    found = await run(acme.live, made, name="{{ 1 + 1 }}")

    assert found["output"] == {"name": "{{ 1 + 1 }}!"}
    assert await contact_names(acme.live) == ["{{ 1 + 1 }}"]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("plan", "large", "path"),
    [
        ("pro", True, ["plan", "size", "large"]),
        ("pro", False, ["plan", "size", "small"]),
        ("starter", True, ["plan", "else"]),
    ],
)
async def test_branches(acme: Organization, plan: str, large: bool, path: list[str]) -> None:
    inner = {
        "id": "size",
        "if": "{{ input.large }}",
        "then": [{"id": "large", "set": {}}],
        "else": [{"id": "small", "set": {}}],
    }
    outer = {"id": "plan", "if": "{{ input.plan == 'pro' }}", "then": [inner], "else": [{"id": "else", "set": {}}]}
    made = await workflow(acme.live, outer)

    found = await run(acme.live, made, plan=plan, large=large)

    assert [step["step_id"] for step in found["steps"]] == path
    assert (found["current_step"], found["total_steps"]) == (1, 1)


@pytest.mark.usefixtures("worker")
async def test_a_wait_ends_when_its_time_has_come(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, create_contact(), {"id": "pause", "wait": {"seconds": HOUR}}, HELLO)
    waiting = await reached(acme.live, await started(acme.live, made, name="Ana"), "waiting")

    later(services, clock, seconds=HOUR)
    found = await ended(acme.live, waiting)

    pause = step_of(waiting, "pause")
    assert (waiting["current_step"], waiting["total_steps"]) == (2, 3)
    assert (pause["status"], pause["input"], pause["finished_at"]) == ("waiting", {"seconds": HOUR}, None)
    assert step_of(found, "pause")["output"] == pause["output"]
    assert pause["output"]["until"].endswith("Z")
    assert step_of(found, "pause")["attempts"] == 1
    assert found["output"] == {"text": "Hola Ana"}
    assert await contact_names(acme.live) == ["Maria Garcia"]


@pytest.mark.usefixtures("worker")
async def test_many_runs_at_once(acme: Organization) -> None:
    made = await workflow(acme.live, create_contact(name="{{ input.name }}"))
    names = [f"Cliente {number:02}" for number in range(12)]

    await asyncio.gather(*(run(acme.live, made, name=name) for name in names))

    assert sorted(await contact_names(acme.live)) == names


@pytest.mark.usefixtures("worker")
async def test_the_end_is_an_event(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, HELLO)

    found = await run(acme.live, made, name="Ana")

    [event] = events_of(owner, acme, "workflow.completed")
    assert event["data"] == {
        "instance_id": found["instance_id"], "workflow_id": made["id"], "workflow_name": "Onboarding",
        "status": "completed", "duration_ms": event["data"]["duration_ms"], "output": {"text": "Hola Ana"},
        "output_truncated": False,
        "error": None,
    }  # fmt: skip
    assert (event["origin"], event["depth"]) == (f"run:{found['instance_id']}", 1)


@pytest.mark.usefixtures("worker")
async def test_runs_in_the_sandbox_write_there(acme: Organization) -> None:
    made = await workflow(acme.sandbox, create_contact())

    await run(acme.sandbox, made)

    assert await contact_names(acme.sandbox) == ["Maria Garcia"]
    assert await contact_names(acme.live) == []


async def test_input_that_is_no_object_is_refused(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO)
    replies: list[Any] = [
        await acme.live.post(EXECUTE, {"workflow_id": made["id"], "input": value}) for value in (None, [1], "text")
    ]

    assert [reply.json()["error"]["details"]["field"] for reply in replies] == ["input"] * 3
