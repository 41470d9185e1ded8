"""The control steps, each alone and some within others."""

from typing import Any

import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.workflows.arranging import (
    Json,
    contact_names,
    create_contact,
    ended,
    instance,
    later,
    reached,
    run,
    started,
    step_of,
    workflow,
)
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

HOUR = 3600


def say(step_id: str, value: Any = None) -> Json:
    return {"id": step_id, "set": {"value": value}}


def fail(step_id: str, **more: Any) -> Json:
    """A step that fails for good."""
    return {"id": step_id, "set": {"value": "{{ 1 / 0 }}"}, **more}


def pause(step_id: str, seconds: int = HOUR) -> Json:
    return {"id": step_id, "wait": {"seconds": seconds}}


def path_statuses(run_: Json) -> dict[str, str]:
    return {step["path"]: step["status"] for step in run_["steps"]}


@pytest.mark.parametrize(
    ("plan", "said"), [("pro", "uno"), ("max", "dos"), ("plus", "dos"), (None, "nada"), (True, "tres"), (1, "nada")]
)
async def test_switch_takes_the_first_case_that_matches(acme: Organization, plan: Any, said: str) -> None:
    cases = [
        {"is": "pro", "steps": [say("one", "uno")]},
        {"is": ["max", "plus"], "steps": [say("two", "dos")]},
        {"is": True, "steps": [say("three", "tres")]},
    ]
    step = {"id": "plan", "switch": "{{ input.plan }}", "cases": cases, "default": [say("none", "nada")]}
    made = await workflow(acme.live, step)

    found = await run(acme.live, made, plan=plan)

    assert found["status"] == "completed"
    assert [each["output"] for each in found["steps"] if each["step_id"] != "plan"] == [{"value": said}]
    assert step_of(found, "plan")["output"]["branch"] in (0, 1, 2, "default")


async def test_parallel_gives_what_every_branch_gave(acme: Organization) -> None:
    step = {"id": "both", "parallel": {"left": [say("a"), say("b", 2)], "right": [create_contact()], "empty": []}}
    made = await workflow(acme.live, step, output={"all": "{{ steps.both.output.branches }}"})

    found = await run(acme.live, made)

    branches = found["output"]["all"]
    assert (branches["left"], branches["empty"]) == ({"value": 2}, None)
    assert branches["right"]["name"] == "Maria Garcia"
    assert step_of(found, "both")["output"]["first"] is None


async def test_branches_wait_side_by_side(acme: Organization, services: Services, clock: MovableClock) -> None:
    step = {"id": "both", "parallel": {"short": [pause("p"), say("a")], "long": [pause("q", 2 * HOUR), say("b")]}}
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, step)), "waiting")
    assert path_statuses(waiting) == {"both": "running", "p": "waiting", "q": "waiting"}

    later(services, clock, seconds=HOUR)
    half = waiting
    while path_statuses(half).get("a") != "completed":
        half = await instance(acme.live, waiting)
    later(services, clock, seconds=HOUR)
    found = await ended(acme.live, waiting)

    assert path_statuses(half)["q"] == "waiting"
    assert set(path_statuses(found).values()) == {"completed"}


async def test_the_first_branch_wins_and_the_others_are_left(acme: Organization) -> None:
    step = {"id": "race", "join": "first", "parallel": {"slow": [pause("p"), say("a")], "quick": [say("b", 7)]}}
    made = await workflow(acme.live, step, say("after", "{{ steps.race.output.first }}"))

    found = await run(acme.live, made)

    assert found["output"] == {"value": "quick"}
    assert step_of(found, "race")["output"] == {"branches": {"slow": None, "quick": {"value": 7}}, "first": "quick"}
    assert path_statuses(found) == {"race": "completed", "p": "cancelled", "b": "completed", "after": "completed"}


async def test_a_branch_that_fails_ends_the_others(acme: Organization) -> None:
    step = {"id": "both", "parallel": {"a": [pause("p")], "b": [fail("b")]}}

    found = await run(acme.live, await workflow(acme.live, step))

    assert (found["status"], found["error"]["step_id"]) == ("failed", "b")
    assert path_statuses(found) == {"both": "failed", "p": "cancelled", "b": "failed"}


async def test_of_racing_branches_one_may_fail(acme: Organization) -> None:
    step = {"id": "race", "join": "first", "parallel": {"bad": [fail("a")], "good": [say("b")]}}

    found = await run(acme.live, await workflow(acme.live, step))

    assert (found["status"], step_of(found, "race")["output"]["first"]) == ("completed", "good")


async def test_for_each_does_the_steps_for_every_item(acme: Organization) -> None:
    inner = [create_contact("made", name="{{ item.name }} {{ index }}"), say("told", "{{ steps.made.output.name }}")]
    step = {"id": "each", "for_each": "{{ input.people }}", "steps": inner, "concurrency": 3}
    made = await workflow(acme.live, step)

    found = await run(acme.live, made, people=[{"name": "Ana"}, {"name": "Luis"}, {"name": "Eva"}])

    assert sorted(await contact_names(acme.live)) == ["Ana 0", "Eva 2", "Luis 1"]
    assert found["output"]["completed"] == 3
    assert [one["output"] for one in found["output"]["results"]] == [
        {"value": "Ana 0"}, {"value": "Luis 1"}, {"value": "Eva 2"},
    ]  # fmt: skip
    assert "each[1].made" in path_statuses(found)


async def test_for_each_within_for_each(acme: Organization) -> None:
    inner = {"id": "inner", "for_each": "{{ row }}", "as": "cell", "steps": [say("s", "{{ row[0] * 10 + cell }}")]}
    outer = {"id": "outer", "for_each": [[1, 2], [3]], "as": "row", "steps": [inner]}

    found = await run(acme.live, await workflow(acme.live, outer))

    rows = [[one["output"]["value"] for one in row["output"]["results"]] for row in found["output"]["results"]]
    assert rows == [[11, 12], [33]]


async def test_items_wait_as_many_at_once_as_allowed(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    step = {"id": "each", "for_each": [1, 2, 3], "steps": [pause("p")], "concurrency": 2}
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, step)), "waiting")

    later(services, clock, seconds=HOUR)
    third = waiting
    while "each[2].p" not in path_statuses(third):
        third = await instance(acme.live, waiting)
    later(services, clock, seconds=HOUR)

    assert "each[2].p" not in path_statuses(waiting)
    assert (await ended(acme.live, waiting))["output"]["completed"] == 3


async def test_an_item_that_fails_fails_the_run_or_is_told(acme: Organization) -> None:
    step = {"id": "each", "for_each": [1, 0, 2], "steps": [{"id": "s", "set": {"x": "{{ 2 / item }}"}}]}

    failed = await run(acme.live, await workflow(acme.live, step))
    told = await run(acme.live, await workflow(acme.live, {**step, "on_item_error": "continue"}))

    assert (failed["status"], failed["error"]["path"]) == ("failed", "each[1].s")
    assert [one["status"] for one in told["output"]["results"]] == ["completed", "failed", "completed"]
    assert (told["status"], told["output"]["failed"]) == ("completed", 1)


async def test_while_goes_on_as_long_as_its_condition_holds(acme: Organization) -> None:
    count = {"id": "n", "set": {"value": "{{ has(steps.n) ? steps.n.output.value * 2 : 1 }}"}}
    loop = {"id": "loop", "while": "{{ !has(steps.n) || steps.n.output.value < 20 }}", "max": 10, "steps": [count]}

    found = await run(acme.live, await workflow(acme.live, loop))

    assert found["output"] == {"iterations": 6, "output": {"value": 32}}


async def test_while_has_a_hard_bound(acme: Organization) -> None:
    loop = {"id": "loop", "while": "{{ true }}", "max": 3, "steps": [say("s")]}

    found = await run(acme.live, await workflow(acme.live, loop))

    assert (found["status"], found["error"]["details"]["constraint"]) == ("failed", "maximum")
    assert sorted(path_statuses(found)) == ["loop", "loop[0].s", "loop[1].s", "loop[2].s"]


async def test_a_loop_that_waits_goes_on_where_it_was(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    steps = [create_contact("made", name="Vuelta {{ index }}"), pause("p")]
    loop = {"id": "loop", "while": "{{ index < 3 }}", "max": 5, "steps": steps}
    waiting = await started(acme.live, await workflow(acme.live, loop))

    for turn in range(3):
        while path_statuses(await instance(acme.live, waiting)).get(f"loop[{turn}].p") != "waiting":
            pass
        later(services, clock, seconds=HOUR)
    await ended(acme.live, waiting)

    assert await contact_names(acme.live) == ["Vuelta 0", "Vuelta 1", "Vuelta 2"]


async def test_wait_until_a_date_of_the_organization(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    made = await workflow(acme.live, {"id": "p", "wait": {"until": "{{ input.due }}"}})
    due = clock.now().date().replace(day=1)
    past = await run(acme.live, made, due=due.isoformat())

    wrong = await run(acme.live, made, due="mañana")

    assert past["status"] == "completed"
    assert (wrong["status"], wrong["error"]["details"]["field"]) == ("failed", "wait.until")
    assert past["output"]["until"].endswith(("22:00:00Z", "23:00:00Z"))


async def test_stop_ends_the_run_from_within(acme: Organization) -> None:
    end = {"id": "end", "stop": {"output": {"n": "{{ item }}"}}}
    loop = {"id": "each", "for_each": [4, 5], "steps": [end, say("never")], "concurrency": 2}

    found = await run(acme.live, await workflow(acme.live, loop, say("after")))

    assert (found["status"], found["output"]) == ("completed", {"n": 4})
    assert "after" not in path_statuses(found)


async def test_stop_as_failed(acme: Organization) -> None:
    end = {"id": "end", "stop": {"status": "failed", "message": "Falta el CIF de {{ input.name }}"}}

    found = await run(acme.live, await workflow(acme.live, end), name="ACME")

    assert found["status"] == "failed"
    assert (found["error"]["code"], found["error"]["message"]) == ("STOPPED", "Falta el CIF de ACME")
