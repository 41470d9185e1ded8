"""Retrying runs: the same run goes on where it ended, or from a chosen step."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.workflows.arranging import (
    HELLO,
    Json,
    code_of,
    contact_names,
    create_contact,
    ended,
    events_of,
    instance,
    instances,
    later,
    reached,
    run,
    started,
    step_of,
    workflow,
)
from tests.workflows.deciding import approval, decided, waiting_in
from tests.workflows.steering import BROKEN, PAUSE, refused, statuses, steer
from tests.world import Client, Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


def named(step_id: str, name: str = "{{ input.name }}") -> Json:
    return create_contact(step_id, name=name)


#: Fails as long as there is no contact of that id.
MISSING: Json = {"id": "missing", "uses": "contacts.get", "with": {"id": "{{ input.id }}"}}


async def failed(client: Client, *steps: Json, **input_: Any) -> Json:
    found = await run(client, await workflow(client, *steps), name="Ana", **input_)
    assert found["status"] == "failed", found
    return found


async def save(client: Client, run_: Json, *steps: Json, **more: Any) -> None:
    """The next version of the run's workflow."""
    await client.call("/v1/workflows/update", {"id": run_["workflow_id"], "steps": list(steps), **more})


async def test_it_goes_on_from_what_failed_with_the_outputs_that_there_are(
    acme: Organization, owner: psycopg.Connection
) -> None:
    before = await failed(
        acme.live, named("a"), {**MISSING, "with": {"id": "{{ steps.a.output.id + input.more }}"}}, HELLO, more="x"
    )

    reply = await steer(acme.live, "retry", before)
    found = await ended(acme.live, before, "failed")

    assert (reply["instance_id"], reply["status"], reply["rounds"]) == (before["instance_id"], "running", 1)
    assert [reply[name] for name in ("output", "error", "finished_at", "duration_ms")] == [None] * 4
    assert statuses(found) == {"a": "completed", "missing": "failed"}
    [past] = found["past_steps"]
    assert (past["path"], past["status"], past["superseded_in"]) == ("missing", "failed", 1)
    assert past["error"]["code"] == "RESOURCE_NOT_FOUND"
    assert await contact_names(acme.live) == ["Ana"]
    assert len(events_of(owner, acme, "workflow.failed")) == 2


async def test_on_the_newest_version_a_fix_holds_and_nothing_is_done_twice(acme: Organization) -> None:
    before = await failed(acme.live, named("a"), BROKEN, HELLO, by=0)
    await save(
        acme.live,
        before,
        named("a"),
        {"id": "broken", "set": {"value": 7}},
        HELLO,
        output={"v": "{{ steps.broken.output.value }}"},
    )

    reply = await steer(acme.live, "retry", before, version="newest")
    found = await ended(acme.live, before)

    assert (reply["version"], found["version"], found["output"]) == (2, 2, {"v": 7})
    assert statuses(found) == {"a": "completed", "broken": "completed", "hello": "completed"}
    assert await contact_names(acme.live) == ["Ana"]


async def test_on_the_same_version_it_fails_as_before_though_there_is_a_newer_one(acme: Organization) -> None:
    before = await failed(acme.live, BROKEN, by=0)
    await save(acme.live, before, HELLO)

    await steer(acme.live, "retry", before)

    assert (await ended(acme.live, before, "failed"))["version"] == 1


async def test_from_a_chosen_step_all_that_follows_is_done_again(acme: Organization) -> None:
    made = await workflow(acme.live, named("a", "A"), named("b", "B"), named("c", "C"))
    before = await run(acme.live, made)

    await steer(acme.live, "retry", before, from_step="b")
    found = await ended(acme.live, before)

    assert await contact_names(acme.live) == ["A", "B", "C", "B", "C"]
    assert step_of(found, "a")["started_at"] == step_of(before, "a")["started_at"]
    assert [(step["path"], step["superseded_in"]) for step in found["past_steps"]] == [("b", 1), ("c", 1)]
    assert [step["path"] for step in found["steps"]] == ["a", "b", "c"]
    assert found["output"]["name"] == "C"
    assert found["instance_id"] == before["instance_id"]


async def test_each_round_is_told(acme: Organization) -> None:
    before = await run(acme.live, await workflow(acme.live, named("a", "A"), named("b", "B")))

    for _ in range(2):
        await steer(acme.live, "retry", before, from_step="b")
        found = await ended(acme.live, before)

    assert found["rounds"] == 2
    assert [(step["path"], step["superseded_in"]) for step in found["past_steps"]] == [("b", 1), ("b", 2)]
    assert await contact_names(acme.live) == ["A", "B", "B", "B"]


async def test_within_an_item_of_a_loop_the_others_stay(acme: Organization) -> None:
    each: Json = {
        "id": "each", "for_each": "{{ input.names }}", "on_item_error": "continue", "concurrency": 2,
        "steps": [named("made", "{{ item }}"), {"id": "told", "set": {"n": "{{ steps.made.output.name }}"}}],
    }  # fmt: skip
    before = await run(acme.live, await workflow(acme.live, each, named("end", "Fin")), names=["A", "", "C"])
    assert before["output"]["name"] == "Fin"

    await steer(acme.live, "retry", before, from_step="each[2].made")
    found = await ended(acme.live, before)

    assert sorted(await contact_names(acme.live)) == ["A", "C", "C", "Fin", "Fin"]
    results = step_of(found, "each")["output"]["results"]
    assert [one["status"] for one in results] == ["completed", "failed", "completed"]
    assert {step["path"] for step in found["past_steps"]} == {"each[2].made", "each[2].told", "end"}


async def test_a_branch_is_entered_again_whatever_its_condition_says_now(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    soon = (clock.now().isoformat()[:19] + "Z").replace("+00:00", "")
    branch: Json = {
        "id": "early", "if": "{{ now < timestamp(input.soon) + duration('60s') }}",
        "then": [named("a", "A"), named("b", "B")], "else": [named("c", "C")],
    }  # fmt: skip
    before = await run(acme.live, await workflow(acme.live, branch), soon=soon)
    later(services, clock, seconds=120)

    await steer(acme.live, "retry", before, from_step="b")

    await ended(acme.live, before)
    assert await contact_names(acme.live) == ["A", "B", "B"]


async def test_passes_after_the_chosen_one_are_done_again(acme: Organization) -> None:
    loop: Json = {
        "id": "loop",
        "while": "{{ index < 3 }}",
        "max": 5,
        "steps": [named("a", "{{ 'N' + string(index) }}")],
    }
    before = await run(acme.live, await workflow(acme.live, loop))

    await steer(acme.live, "retry", before, from_step="loop[1].a")

    assert (await ended(acme.live, before))["output"]["iterations"] == 3
    assert await contact_names(acme.live) == ["N0", "N1", "N2", "N1", "N2"]


async def test_the_other_side_stays(acme: Organization) -> None:
    both: Json = {"id": "both", "parallel": {"left": [named("a", "A"), MISSING], "right": [named("b", "B")]}}
    before = await failed(acme.live, both, id="ct_none")
    await save(
        acme.live,
        before,
        {
            **both,
            "parallel": {
                **both["parallel"],
                "left": [
                    named("a", "A"),
                    {"id": "missing", "uses": "contacts.get", "with": {"id": "{{ steps.a.output.id }}"}},
                ],
            },
        },
    )

    await steer(acme.live, "retry", before, version=2)

    assert (await ended(acme.live, before))["status"] == "completed"
    assert sorted(await contact_names(acme.live)) == ["A", "B"]


async def test_the_error_handler_has_its_say_again(acme: Organization) -> None:
    made = await workflow(acme.live, BROKEN, on_error=[named("sorry", "{{ error.step_id }}")])
    before = await run(acme.live, made, by=0)

    await steer(acme.live, "retry", before)
    found = await ended(acme.live, before, "failed")

    assert await contact_names(acme.live) == ["broken", "broken"]
    assert {step["path"] for step in found["past_steps"]} == {"broken", "sorry"}


async def test_a_cancelled_run_goes_on(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, named("a"), PAUSE, named("b", "B"))
    waiting = await reached(acme.live, await started(acme.live, made, name="A"), "waiting")
    await steer(acme.live, "cancel", waiting)

    await steer(acme.live, "retry", waiting)
    again = await reached(acme.live, waiting, "waiting")
    later(services, clock, seconds=3600)
    found = await ended(acme.live, waiting)

    assert again["error"] is None
    assert await contact_names(acme.live) == ["A", "B"]
    assert [(step["path"], step["status"]) for step in found["past_steps"]] == [("pause", "cancelled")]


async def test_a_new_decision_is_asked_for(acme: Organization) -> None:
    waiting = await reached(
        acme.live, await started(acme.live, await workflow(acme.live, approval()), total=1), "waiting"
    )
    await steer(acme.live, "cancel", waiting)

    await steer(acme.live, "retry", waiting)
    [asked] = await waiting_in(acme.live, waiting)
    await decided(acme.owner, asked)

    assert (await ended(acme.live, waiting))["output"]["decision"] == "approved"


async def test_a_deadline_counts_from_the_retry(acme: Organization, services: Services, clock: MovableClock) -> None:
    inner: Json = {"id": "inner", "if": "{{ true }}", "then": [MISSING], "timeout_seconds": 60}
    made = await workflow(acme.live, inner, timeout_seconds=60)
    before = await run(acme.live, made, id="ct_none")
    assert before["error"]["code"] == "RESOURCE_NOT_FOUND"
    later(services, clock, seconds=600)

    await steer(acme.live, "retry", before)

    assert (await ended(acme.live, before, "failed"))["error"]["code"] == "RESOURCE_NOT_FOUND"


async def test_another_run_is_run_again_by_a_new_one(acme: Organization) -> None:
    inner = await workflow(acme.live, {"id": "s", "set": {"v": "{{ 1 / input.by }}"}})
    outer = await workflow(acme.live, {"id": "o", "run_workflow": {"workflow_id": inner["id"], "input": {"by": 0}}})
    before = await run(acme.live, outer)
    await acme.live.call("/v1/workflows/update", {"id": inner["id"], "steps": [{"id": "s", "set": {"v": 1}}]})

    await steer(acme.live, "retry", before)

    assert (await ended(acme.live, before))["output"]["output"] == {"v": 1}
    assert len(await instances(acme.live, parent_id=before["instance_id"])) == 2


async def test_what_goes_on_or_has_nothing_to_do_again_is_a_conflict(acme: Organization) -> None:
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, PAUSE)), "waiting")
    completed = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")

    replies = [await refused(acme.live, "retry", each) for each in (waiting, completed)]

    assert [code_of(reply) for reply in replies] == [(409, "CONFLICT")] * 2
    assert replies[1].json()["error"]["details"]["field"] == "from_step"


@pytest.mark.parametrize(
    ("data", "status", "field"),
    [
        ({"from_step": "nobody"}, 404, "from_step"),
        ({"from_step": "later"}, 422, "from_step"),
        ({"version": 9}, 404, "version"),
        ({"version": "oldest"}, 400, "version"),
        ({"version": 0}, 400, "version"),
        ({"input": {}}, 400, "input"),
    ],
)
async def test_what_cannot_be_is_refused(acme: Organization, data: Json, status: int, field: str) -> None:
    before = await failed(acme.live, named("a"), BROKEN, {"id": "later", "set": {}}, by=0)

    reply = await refused(acme.live, "retry", before, **data)

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (status, field), reply.text
    assert (await instance(acme.live, before))["rounds"] == 0


async def test_what_is_another_step_now_is_not_kept(acme: Organization) -> None:
    before = await failed(acme.live, named("a"), BROKEN, by=0)
    await save(acme.live, before, {"id": "a", "set": {}}, {"id": "broken", "set": {}})

    reply = await refused(acme.live, "retry", before, version="newest")
    await steer(acme.live, "retry", before, version="newest", from_step="a")

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (422, "version")
    assert (await ended(acme.live, before))["status"] == "completed"


async def test_an_input_that_does_not_fit_the_version_is_refused(acme: Organization) -> None:
    before = await failed(acme.live, BROKEN, by=0)
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    await save(acme.live, before, HELLO, input_schema=schema)

    reply = await refused(acme.live, "retry", before, version="newest", from_step="hello")

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "input.age")


async def test_who_retries_must_be_allowed_to_do_all_that_it_does(acme: Organization) -> None:
    before = await failed(acme.live, named("a"), BROKEN, by=0)

    reply = await refused(acme.key("workflows:write"), "retry", before)

    assert code_of(reply) == (403, "AUTH_INSUFFICIENT_SCOPE")


@pytest.mark.parametrize("verb", ["pause", "delete"])
async def test_of_a_workflow_that_is_not_active_nothing_is_retried(acme: Organization, verb: str) -> None:
    before = await failed(acme.live, BROKEN, by=0)
    await acme.live.call(f"/v1/workflows/{verb}", {"id": before["workflow_id"]})

    replies = [await refused(acme.live, each, before) for each in ("retry", "rerun")]

    assert [code_of(reply) for reply in replies] == [(409, "CONFLICT")] * 2


async def test_one_at_a_time_holds_for_retries_too(acme: Organization) -> None:
    made = await workflow(acme.live, PAUSE, concurrency="one")
    first = await reached(acme.live, await started(acme.live, made), "waiting")
    await steer(acme.live, "cancel", first)
    await started(acme.live, made)

    reply = await refused(acme.live, "retry", first)

    assert code_of(reply) == (409, "WORKFLOW_ALREADY_RUNNING")


async def test_in_a_queue_a_retry_waits_for_its_turn(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    made = await workflow(acme.live, PAUSE, HELLO, concurrency="queue")
    first = await reached(acme.live, await started(acme.live, made, name="Ana"), "waiting")
    await steer(acme.live, "cancel", first)
    second = await reached(acme.live, await started(acme.live, made, name="Eva"), "waiting")

    queued = await steer(acme.live, "retry", first)
    later(services, clock, seconds=3600)
    await ended(acme.live, second)
    again = await reached(acme.live, first, "waiting")

    assert (queued["status"], queued["queued"]) == ("running", True)
    assert (again["queued"], again["started_at"]) == (False, first["started_at"])


async def test_of_many_who_retry_it_one_does(acme: Organization) -> None:
    before = await failed(acme.live, MISSING, PAUSE, id="ct_none")

    replies = await asyncio.gather(
        *(acme.live.post("/v1/workflows/retry_instance", {"instance_id": before["instance_id"]}) for _ in range(8))
    )

    assert {reply.status_code for reply in replies} <= {200, 409}
    assert (await ended(acme.live, before, "failed"))["rounds"] == sum(reply.status_code == 200 for reply in replies)


async def test_the_history_tells_who_retried_it(acme: Organization, owner: psycopg.Connection) -> None:
    before = await failed(acme.live, BROKEN, by=0)

    await steer(acme.live, "retry", before)

    [(actor, after)] = owner.execute(
        "select actor, after from audit_log where org_id = %s and operation = 'workflows.retry_instance'", (acme.id,)
    ).fetchall()
    assert actor == before["started_by"]
    assert (after["status"], after["rounds"]) == ("running", 1)


async def test_a_run_again_is_a_new_run_with_the_same_input(acme: Organization) -> None:
    before = await failed(acme.live, named("a"), BROKEN, by=0)
    await save(acme.live, before, named("a"), HELLO)

    reply = await steer(acme.live, "rerun", before)
    found = await ended(acme.live, reply)

    assert found["instance_id"] != before["instance_id"]
    assert (found["rerun_of"], found["version"], found["input"]) == (before["instance_id"], 2, before["input"])
    assert (found["trigger_type"], found["output"]) == ("retry", {"text": "Hola Ana"})
    assert await contact_names(acme.live) == ["Ana", "Ana"]
    assert (await instance(acme.live, before))["status"] == "failed"


async def test_a_run_again_with_another_input(acme: Organization) -> None:
    before = await failed(acme.live, BROKEN, HELLO, by=0)

    reply = await steer(acme.live, "rerun", before, input={"name": "Eva", "by": 2})

    assert (await ended(acme.live, reply))["output"] == {"text": "Hola Eva"}


async def test_a_run_that_goes_on_can_be_run_again_too(acme: Organization) -> None:
    waiting = await reached(acme.live, await started(acme.live, await workflow(acme.live, PAUSE)), "waiting")

    reply = await steer(acme.live, "rerun", waiting)

    assert reply["rerun_of"] == waiting["instance_id"]
