"""What a retry does again: arithmetic over a tree and what was taken of it."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from bivelio_server.kit.errors import Impossible, NotFound
from bivelio_server.workflows.control.again import Again, Taken, plan
from bivelio_server.workflows.definition import Definition
from tests.workflows.arranging import Json

DONE, FAILED, OFF = "completed", "failed", "cancelled"


def say(step_id: str, **more: Any) -> Json:
    return {"id": step_id, "set": {}, **more}


def on(step_id: str, then: list[Json], otherwise: list[Json] | None = None, **more: Any) -> Json:
    return {"id": step_id, "if": "{{ true }}", "then": then, "else": otherwise or [], **more}


def both(step_id: str, join: str = "all", **branches: list[Json]) -> Json:
    return {"id": step_id, "parallel": branches, "join": join}


def each(step_id: str, steps: list[Json], on_item_error: str = "fail") -> Json:
    return {"id": step_id, "for_each": [1, 2, 3], "steps": steps, "on_item_error": on_item_error}


def loop(step_id: str, steps: list[Json]) -> Json:
    return {"id": step_id, "while": "{{ true }}", "max": 9, "steps": steps}


def stop(step_id: str) -> Json:
    return {"id": step_id, "stop": {}}


KINDS = {"i": "if", "w": "switch", "p": "parallel", "e": "for_each", "l": "while", "x": "stop"}


def taken(path: str, status: str) -> Taken:
    """As a run records it. The first letter of a step's id says which kind it is; `set` unless it is one of KINDS."""
    kind = KINDS.get(path.rpartition(".")[2][0], "set")
    branch = {"if": "then", "switch": 0}.get(kind)
    return Taken(path, kind, status, branch, 3 if kind == "for_each" else None, 2 if kind == "while" else None)


@dataclass
class Case:
    """`steps` of a run and what it has taken, path and status; from where it is retried; what is then done anew, and
    what goes on."""

    name: str
    steps: list[Json]
    was: dict[str, str]
    replaced: set[str]
    reopened: set[str] = field(default_factory=set)
    at: str | None = None
    on_error: list[Json] = field(default_factory=list)


ABC = [say("a"), say("b"), say("c")]
NESTED = [say("a"), on("i", [say("b"), say("c"), say("d")]), say("z")]
SIDES = [both("p", one=[say("a"), say("b")], two=[say("c"), say("d")]), say("z")]
ITEMS = [each("e", [say("a"), say("b")]), say("z")]
LENIENT = [each("e", [say("a"), say("b")], "continue"), say("z")]
PASSES = [loop("l", [say("a"), say("b")]), say("z")]
HANDLED = [say("a", on_error=[say("h"), say("k")]), say("z")]
TOLERATED = [say("a"), say("b", on_error="continue"), say("c")]
DEEP = [each("e", [on("i", [loop("l", [both("p", one=[say("a"), say("b")], two=[say("c")])])])])]

CASES = [
    # Without a chosen step: from where it ended.
    Case("nothing was taken", ABC, {}, set()),
    Case("a failed step", ABC, {"a": DONE, "b": FAILED}, {"b"}),
    Case("a cancelled step", ABC, {"a": DONE, "b": OFF}, {"b"}),
    Case("what failed was tolerated", TOLERATED, {"a": DONE, "b": FAILED, "c": FAILED}, {"c"}),
    Case("the output failed", ABC, {"a": DONE, "b": DONE, "c": DONE}, set()),
    Case("the handler of the run goes, too", ABC, {"a": FAILED, "h": DONE, "k": DONE}, {"a", "h", "k"},
         on_error=[on("h2", [say("k")]), say("h")]),
    Case("a handled step, whose handler failed", HANDLED, {"a": FAILED, "h": DONE, "k": FAILED}, {"k"}),
    Case("after a handled step", HANDLED, {"a": FAILED, "h": DONE, "k": DONE, "z": FAILED}, {"z"}),
    Case("in a branch", NESTED, {"a": DONE, "i": FAILED, "b": DONE, "c": FAILED}, {"c"}, {"i"}),
    Case("a condition", NESTED, {"a": DONE, "i": FAILED}, {"i"}),
    Case("cancelled in a branch", NESTED, {"a": DONE, "i": OFF, "b": DONE, "c": OFF}, {"c"}, {"i"}),
    Case("one side failed, the other was broken off", SIDES,
         {"p": FAILED, "a": DONE, "b": FAILED, "c": DONE, "d": OFF}, {"b", "d"}, {"p"}),
    Case("one side failed, the other was done", SIDES, {"p": FAILED, "a": FAILED, "c": DONE, "d": DONE}, {"a"}, {"p"}),
    Case("both sides failed", SIDES, {"p": FAILED, "a": DONE, "b": FAILED, "c": FAILED}, {"b", "c"}, {"p"}),
    Case("who came second in a race that was won stays", [both("p", "first", one=[say("a")], two=[say("b")]), say("z")],
         {"p": DONE, "a": DONE, "b": OFF, "z": FAILED}, {"z"}),
    Case("a race that all lost", [both("p", "first", one=[say("a")], two=[say("b")])],
         {"p": FAILED, "a": FAILED, "b": FAILED}, {"a", "b"}, {"p"}),
    Case("a race that was cancelled", [both("p", "first", one=[say("a")], two=[say("b")])],
         {"p": OFF, "a": FAILED, "b": OFF}, {"b"}, {"p"}),
    Case("an item failed, others were broken off", ITEMS,
         {"e": FAILED, "e[0].a": DONE, "e[0].b": DONE, "e[1].a": DONE, "e[1].b": FAILED, "e[2].a": OFF},
         {"e[1].b", "e[2].a"}, {"e"}),
    Case("tolerated items of a cancelled run", LENIENT,
         {"e": OFF, "e[0].a": FAILED, "e[1].a": DONE, "e[1].b": OFF, "e[2].a": DONE, "e[2].b": DONE},
         {"e[1].b"}, {"e"}),
    Case("tolerated items of a loop that is done stay", LENIENT, {"e": DONE, "e[0].a": FAILED, "z": FAILED}, {"z"}),
    Case("in a pass", PASSES, {"l": FAILED, "l[0].a": DONE, "l[0].b": DONE, "l[1].a": FAILED}, {"l[1].a"}, {"l"}),
    Case("a loop that would not end", PASSES, {"l": FAILED, "l[0].a": DONE, "l[0].b": DONE}, set(), {"l"}),
    Case("a stop", [say("a"), stop("x")], {"a": DONE, "x": DONE}, {"x"}),
    Case("a stop in a branch", [on("i", [stop("x")])], {"i": OFF, "x": DONE}, {"x"}, {"i"}),
    Case("deep within", DEEP,
         {"e": FAILED, "e[0].i": DONE, "e[0].l": DONE, "e[1].i": FAILED, "e[1].l": FAILED, "e[1].l[0].p": DONE,
          "e[1].l[0].a": DONE, "e[1].l[1].p": FAILED, "e[1].l[1].a": DONE, "e[1].l[1].b": FAILED, "e[1].l[1].c": OFF},
         {"e[1].l[1].b", "e[1].l[1].c"}, {"e", "e[1].i", "e[1].l", "e[1].l[1].p"}),
    # With a chosen step.
    Case("from the first", ABC, {"a": DONE, "b": DONE, "c": FAILED}, {"a", "b", "c"}, at="a"),
    Case("from the second", ABC, {"a": DONE, "b": DONE, "c": DONE}, {"b", "c"}, at="b"),
    Case("from the last", ABC, {"a": DONE, "b": DONE, "c": DONE}, {"c"}, at="c"),
    Case("from before a tolerated failure", TOLERATED, {"a": DONE, "b": FAILED, "c": DONE}, {"a", "b", "c"}, at="a"),
    Case("from after a tolerated failure", TOLERATED, {"a": DONE, "b": FAILED, "c": DONE}, {"c"}, at="c"),
    Case("from a tolerated failure", TOLERATED, {"a": DONE, "b": FAILED, "c": DONE}, {"b", "c"}, at="b"),
    Case("from within a branch that is done", NESTED,
         {"a": DONE, "i": DONE, "b": DONE, "c": DONE, "d": DONE, "z": DONE},
         {"c", "d", "z"}, {"i"}, at="c"),
    Case("from a step that holds others", NESTED, {"a": DONE, "i": DONE, "b": DONE, "c": DONE, "d": DONE, "z": DONE},
         {"i", "b", "c", "d", "z"}, at="i"),
    Case("from a handler", HANDLED, {"a": FAILED, "h": DONE, "k": DONE, "z": DONE}, {"k", "z"}, at="k"),
    Case("from a handled step", HANDLED, {"a": FAILED, "h": DONE, "k": DONE, "z": DONE}, {"a", "h", "k", "z"}, at="a"),
    Case("from within a side", SIDES, {"p": DONE, "a": DONE, "b": DONE, "c": DONE, "d": DONE, "z": DONE},
         {"b", "z"}, {"p"}, at="b"),
    Case("from within a side whose other one failed", SIDES, {"p": FAILED, "a": DONE, "b": DONE, "c": FAILED},
         {"a", "b", "c"}, {"p"}, at="a"),
    Case("from within a race", [both("p", "first", one=[say("a")], two=[say("b")]), say("z")],
         {"p": FAILED, "a": FAILED, "b": FAILED}, {"a"}, {"p"}, at="a"),
    Case("from within an item", ITEMS,
         {"e": DONE, "e[0].a": DONE, "e[0].b": DONE, "e[1].a": DONE, "e[1].b": DONE, "z": DONE},
         {"e[0].b", "z"}, {"e"}, at="e[0].b"),
    Case("from within an item beside a tolerated one", LENIENT,
         {"e": DONE, "e[0].a": FAILED, "e[1].a": DONE, "e[1].b": DONE, "z": DONE}, {"e[1].a", "e[1].b", "z"}, {"e"},
         at="e[1].a"),
    Case("from a tolerated item", LENIENT, {"e": DONE, "e[0].a": FAILED, "e[1].a": DONE, "z": DONE},
         {"e[0].a", "z"}, {"e"}, at="e[0].a"),
    Case("from within a pass: the later ones go", PASSES,
         {"l": DONE, "l[0].a": DONE, "l[0].b": DONE, "l[1].a": DONE, "l[1].b": DONE, "z": DONE},
         {"l[0].b", "l[1].a", "l[1].b", "z"}, {"l"}, at="l[0].b"),
    Case("from within the last pass", PASSES,
         {"l": FAILED, "l[0].a": DONE, "l[0].b": DONE, "l[1].a": DONE, "l[1].b": FAILED}, {"l[1].a", "l[1].b"}, {"l"},
         at="l[1].a"),
    Case("from deep within", DEEP,
         {"e": DONE, "e[0].i": DONE, "e[0].l": DONE, "e[0].l[0].p": DONE, "e[0].l[0].a": DONE, "e[0].l[0].b": DONE,
          "e[0].l[0].c": DONE, "e[0].l[1].p": DONE, "e[1].i": DONE},
         {"e[0].l[0].b", "e[0].l[1].p"}, {"e", "e[0].i", "e[0].l", "e[0].l[0].p"}, at="e[0].l[0].b"),
    Case("a stop elsewhere does not end it at once", [both("p", one=[say("a")], two=[stop("x")])],
         {"p": OFF, "a": DONE, "x": DONE}, {"a", "x"}, {"p"}, at="a"),
    Case("its failed holder's handler goes, too", [on("i", [say("b")], on_error=[say("h")]), say("z")],
         {"i": FAILED, "b": FAILED, "h": DONE, "z": DONE}, {"b", "h", "z"}, {"i"}, at="b"),
]  # fmt: skip


def done_again(case: Case) -> Again:
    definition = Definition.model_validate({"steps": case.steps, "on_error": case.on_error})
    return plan(definition, [taken(path, status) for path, status in case.was.items()], case.at)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_done_again(case: Case) -> None:
    again = done_again(case)

    assert again.replaced == case.replaced
    assert {each.path for each in again.reopened} == case.reopened


def test_what_holds_the_chosen_step_leads_to_it_again() -> None:
    was = {"e": DONE, "e[2].i": DONE, "e[2].l": DONE, "e[2].l[4].p": DONE, "e[2].l[4].a": DONE}

    again = done_again(Case("", DEEP, was, set(), at="e[2].l[4].a"))

    prepared = {each.path: None if each.keeps else each.prepared for each in again.reopened}
    assert prepared == {"e": None, "e[2].i": {"branch": "then"}, "e[2].l": {"begun": 5}, "e[2].l[4].p": None}


@pytest.mark.parametrize(
    "path", ["nobody", "e", "a[0].b", "e[0]", "e[0].", "e[1].z", "", "b[", "i[0].b", "e[x].a", "e[0].a.b", "[0].a"]
)
def test_a_path_that_does_not_exist_is_missing(path: str) -> None:
    with pytest.raises(NotFound) as refused:
        done_again(Case("", ABC, {"a": DONE}, set(), at=path))

    assert refused.value.details == {"field": "from_step"}


@pytest.mark.parametrize(
    ("steps", "was", "at"),
    [
        (ABC, {"a": FAILED}, "b"),
        (NESTED, {"a": DONE, "i": DONE, "z": DONE}, "b"),
        (ITEMS, {"e": DONE, "e[0].a": DONE, "e[0].b": DONE}, "e[7].a"),
        (PASSES, {"l": DONE, "l[0].a": DONE, "l[0].b": DONE}, "l[5].a"),
        (HANDLED, {"a": DONE, "z": DONE}, "h"),
    ],
)
def test_where_the_run_did_not_come_it_cannot_go_on(steps: list[Json], was: dict[str, str], at: str) -> None:
    with pytest.raises(Impossible) as refused:
        done_again(Case("", steps, was, set(), at=at))

    assert (refused.value.problems[0].field, refused.value.problems[0].constraint) == ("from_step", "reached")


def test_the_handler_of_the_run_is_not_chosen() -> None:
    with pytest.raises(Impossible) as refused:
        done_again(Case("", ABC, {"a": FAILED, "h": FAILED}, set(), at="h", on_error=[say("h")]))

    assert refused.value.problems[0].constraint == "not_in_handler"


def other_version(steps: list[Json], was: dict[str, str], at: str | None = None) -> Again:
    rows = [taken(path, status) for path, status in was.items()]
    return plan(Definition.model_validate({"steps": steps}), rows, at, other_version=True)


def test_in_another_version_steps_are_known_by_their_ids() -> None:
    again = other_version([say("a"), say("new"), say("c")], {"a": DONE, "b": DONE, "c": FAILED})

    assert again.replaced == {"b", "c"}


def test_a_step_that_is_new_there_can_be_chosen() -> None:
    again = other_version([say("a"), say("new"), say("c")], {"a": DONE, "c": FAILED}, at="new")

    assert again.replaced == {"c"}


def test_there_a_condition_is_judged_anew() -> None:
    again = other_version([on("i", [say("a")], [say("b")])], {"i": FAILED, "a": FAILED})

    [branch] = again.reopened
    assert (branch.keeps, branch.prepared) == (False, None)


def test_a_step_moved_elsewhere_is_another_one() -> None:
    again = other_version([each("e", [say("a")]), say("b")], {"a": DONE, "b": FAILED})

    assert again.replaced == {"a", "b"}


def test_what_is_kept_must_be_of_the_same_kind() -> None:
    steps = [{"id": "a", "wait": {"seconds": 1}}, say("b")]
    was = {"a": DONE, "b": FAILED}
    with pytest.raises(Impossible) as refused:
        other_version(steps, was)

    assert (refused.value.problems[0].field, refused.value.problems[0].constraint) == ("version", "same_steps")
    assert other_version(steps, was, at="a").replaced == {"a", "b"}


def test_a_run_of_very_many_steps_is_planned_at_once() -> None:
    was = {"e": OFF, **{f"e[{index}].{step}": OFF for index in range(1000) for step in "ab"}}

    again = done_again(Case("", ITEMS, was, set()))

    assert len(again.replaced) == 2000
