"""A value that looks like an expression is never one, wherever it passes."""

import pytest

from tests.workflows.arranging import Json, run, step_of, until, workflow
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

EVIL = "{{ run.id }} {{ 1 / 0 }} }} {{ secrets.TOKEN }}"


def copy(step_id: str, expression: str) -> Json:
    return {"id": step_id, "set": {"x": f"{{{{ {expression} }}}}"}}


async def test_through_every_kind_of_step(acme: Organization) -> None:
    child = await workflow(acme.live, copy("inner", "input.x"), output={"x": "{{ steps.inner.output.x }}"})
    steps: list[Json] = [
        copy("named", "input.x"),
        {"id": "joined", "set": {"x": "> {{ steps.named.output.x }}", "{{ 1 }}": ["{{ [input.x] }}"]}},
        {"id": "chosen", "switch": "{{ input.x.size() }}", "cases": [
            {"is": len(EVIL), "steps": [copy("case", "input.x")]}]},
        {"id": "asked", "if": "{{ steps.named.output.x == input.x }}", "then": [copy("then", "input.x")]},
        {"id": "each", "for_each": "{{ [input.x, steps.named.output] }}", "steps": [copy("item", "item")]},
        {"id": "both", "parallel": {"one": [copy("left", "steps.named.output.x")], "two": [copy("right", "input.x")]}},
        {"id": "turns", "while": "{{ index < 2 }}", "max": 2, "steps": [
            copy("turn", "has(steps.turn) ? steps.turn.output.x : input.x")]},
        {"id": "made", "uses": "contacts.create", "with": {
            "name": "{{ input.x }}", "tags": ["{{ input.x }}"], "custom_fields": {"x": "{{ input }}"}}},
        {"id": "read", "uses": "contacts.get", "with": {"id": "{{ steps.made.output.id }}"}},
        {"id": "other", "run_workflow": {"workflow_id": child["id"], "input": {"x": "{{ steps.read.output.name }}"}}},
        {"id": "failing", "set": {"x": "{{ {}[input.x] }}"}, "on_error": [copy("why", "error.message")]},
        {"id": "json", "set": {"x": "{{ json.decode(json.encode(input)).x }}", "y": "{{ '%s'.format([input.x]) }}"}},
        {"id": "end", "stop": {"output": {"x": "{{ steps.other.output.output.x }}", "all": "{{ steps.each.output }}"}}},
    ]  # fmt: skip

    found = await run(acme.live, await workflow(acme.live, *steps), x=EVIL)

    assert found["status"] == "completed", found
    assert found["output"]["x"] == EVIL
    assert [result["output"]["x"] for result in found["output"]["all"]["results"]] == [EVIL, {"x": EVIL}]
    assert step_of(found, "joined")["output"] == {"x": f"> {EVIL}", "{{ 1 }}": [[EVIL]]}
    for step_id in ("named", "case", "then", "left", "right", "turn"):
        assert step_of(found, step_id)["output"] == {"x": EVIL}
    assert step_of(found, "json")["output"] == {"x": EVIL, "y": EVIL}
    contact = step_of(found, "read")["output"]
    assert (contact["name"], contact["tags"], contact["custom_fields"]) == (EVIL, [EVIL], {"x": {"x": EVIL}})
    assert EVIL[:20] in step_of(found, "why")["output"]["x"]


async def test_from_an_event_into_what_people_read(acme: Organization) -> None:
    question = {
        "title": "{{ input.data.name }}?",
        "message": "{{ input.data.tags }}",
        "approvers": {"roles": ["owner"]},
    }
    trigger = {"type": "event", "event": "contact.created"}
    await workflow(acme.live, {"id": "ask", "approval": question}, trigger=trigger)

    await acme.live.call("/v1/contacts/create", {"name": EVIL, "tags": [EVIL]})

    async def is_asked() -> bool:
        return bool((await acme.live.call("/v1/workflows/list_approvals", {}))["approvals"])

    await until(is_asked)
    [approval] = (await acme.live.call("/v1/workflows/list_approvals", {}))["approvals"]
    assert approval["title"] == f"{EVIL}?"
    assert EVIL in approval["message"]
