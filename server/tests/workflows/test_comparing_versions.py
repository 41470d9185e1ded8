"""The difference between two versions is told step by step."""

from typing import Any

import pytest

from tests.workflows.arranging import HELLO, code_of, create_contact, on, workflow
from tests.world import Organization

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
UPDATE, COMPARE = "/v1/workflows/update", "/v1/workflows/compare_versions"


def named(step_id: str, **values: Any) -> Json:
    return {"id": step_id, "set": values}


def branch(*steps: Json, otherwise: Any = (), condition: str = "{{ input.yes }}") -> Json:
    return {"id": "branch", "if": condition, "then": list(steps), "else": list(otherwise)}


async def compared(acme: Organization, before: list[Json], after: list[Json], **changes: Any) -> Json:
    made = await workflow(acme.live, *before)
    await acme.live.call(UPDATE, {"id": made["id"], "steps": after, **changes})
    found: Json = await acme.live.call(COMPARE, {"id": made["id"], "from": 1, "to": 2})
    return found


def told(comparison: Json) -> list[tuple[Any, ...]]:
    return [(step["step_id"], step["change"], step["moved"]) for step in comparison["steps"]]


async def test_steps_added_removed_and_changed(acme: Organization) -> None:
    found = await compared(
        acme,
        [named("a"), create_contact(email="uno@ejemplo.com", tags=["x"]), named("c")],
        [create_contact(email="dos@ejemplo.com", tags=["x"], phone="600111222"), named("c"), named("d")],
    )

    assert told(found) == [("a", "removed", False), ("contact", "changed", False), ("d", "added", False)]
    removed, changed, added = found["steps"]
    assert changed["fields"] == [
        {"field": "with.email", "before": "uno@ejemplo.com", "after": "dos@ejemplo.com"},
        {"field": "with.phone", "before": None, "after": "600111222"},
    ]
    assert (changed["uses"], changed["place_before"], changed["place_after"]) == (
        "contacts.create", "steps[1]", "steps[0]",
    )  # fmt: skip
    assert (removed["place_before"], removed["place_after"]) == ("steps[0]", None)
    assert (added["place_before"], added["place_after"], added["fields"]) == (None, "steps[2]", [])
    assert changed["text"]["es"] == "Ha cambiado el paso 'contact': with.email, with.phone."
    assert (found["identical"], found["settings"], found["trigger"]) == (False, [], [])


async def test_only_what_changes_its_place_has_moved(acme: Organization) -> None:
    found = await compared(acme, [named(x) for x in "abcde"], [named(x) for x in ("new", *"acdbe")])

    assert told(found) == [("new", "added", False), ("b", "moved", True)]


async def test_a_step_moved_into_a_branch(acme: Organization) -> None:
    found = await compared(acme, [named("a", x=1), branch(named("b"))], [branch(named("b"), named("a", x=2))])

    assert told(found) == [("a", "changed", True)]
    assert (found["steps"][0]["place_before"], found["steps"][0]["place_after"]) == ("steps[0]", "steps[0].then[1]")
    assert found["steps"][0]["fields"] == [{"field": "set.x", "before": 1, "after": 2}]


async def test_a_step_that_holds_others_answers_for_itself_alone(acme: Organization) -> None:
    found = await compared(
        acme,
        [branch(named("b"), otherwise=[named("c", x=1)])],
        [branch(named("b"), otherwise=[named("c", x=2), named("d")], condition="{{ input.no }}")],
    )

    assert told(found) == [("branch", "changed", False), ("c", "changed", False), ("d", "added", False)]
    assert [field["field"] for field in found["steps"][0]["fields"]] == ["if"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            {"switch": "{{ input.x }}", "cases": [{"is": 1, "steps": [named("a")]}], "default": [named("b")]},
            {"switch": "{{ input.x }}", "cases": [{"is": 1, "steps": [named("b")]}], "default": [named("a")]},
        ),
        (
            {"parallel": {"one": [named("a")], "two": [named("b")]}},
            {"parallel": {"one": [named("b")], "two": [named("a")]}},
        ),
        (
            {"for_each": "{{ input.x }}", "steps": [named("a")], "on_error": [named("b")]},
            {"for_each": "{{ input.x }}", "steps": [named("b")], "on_error": [named("a")]},
        ),
    ],
    ids=["switch", "parallel", "for_each"],
)
async def test_steps_are_found_wherever_they_stand(acme: Organization, before: Json, after: Json) -> None:
    found = await compared(acme, [{"id": "holder", **before}], [{"id": "holder", **after}])

    assert sorted(told(found)) == [("a", "moved", True), ("b", "moved", True)]


async def test_settings_and_trigger(acme: Organization) -> None:
    found = await compared(
        acme, [HELLO], [HELLO], name="Otro", concurrency="one", output={"a": {"b": 1}}, timeout_seconds=60,
        **on("contact.created"),
    )  # fmt: skip

    assert found["settings"] == [
        {"field": "name", "before": "Onboarding", "after": "Otro"},
        {"field": "concurrency", "before": "many", "after": "one"},
        {"field": "output", "before": None, "after": {"a": {"b": 1}}},
        {"field": "timeout_seconds", "before": None, "after": 60},
    ]
    assert found["trigger"] == [
        {"field": "type", "before": "manual", "after": "event"},
        {"field": "event", "before": None, "after": "contact.created"},
    ]
    assert found["steps"] == []


async def test_against_the_newest_and_backwards(acme: Organization) -> None:
    made = await workflow(acme.live, named("a", x=1))
    for x in (2, 3):
        await acme.live.call(UPDATE, {"id": made["id"], "steps": [named("a", x=x)]})

    newest = await acme.live.call(COMPARE, {"id": made["id"], "from": 1})
    backwards = await acme.live.call(COMPARE, {"id": made["id"], "from": 3, "to": 2})

    assert (newest["from"], newest["to"]) == (1, 3)
    assert newest["steps"][0]["fields"] == [{"field": "set.x", "before": 1, "after": 3}]
    assert backwards["steps"][0]["fields"] == [{"field": "set.x", "before": 3, "after": 2}]


async def test_a_version_equals_itself(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO)

    found = await acme.live.call(COMPARE, {"id": made["id"], "from": 1, "to": 1})

    assert (found["identical"], found["settings"], found["trigger"], found["steps"]) == (True, [], [], [])


@pytest.mark.parametrize(("versions", "field"), [({"from": 9}, "from"), ({"from": 1, "to": 9}, "to")])
async def test_a_version_that_is_not_there(acme: Organization, versions: Json, field: str) -> None:
    made = await workflow(acme.live, HELLO)

    reply = await acme.live.post(COMPARE, {"id": made["id"], **versions})

    assert code_of(reply) == (404, "RESOURCE_NOT_FOUND")
    assert reply.json()["error"]["details"]["field"] == field
