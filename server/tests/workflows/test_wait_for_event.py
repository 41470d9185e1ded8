"""Runs that wait for an event."""

import asyncio
from typing import Any

import psycopg
import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows.triggers import delivering
from tests.workflows.arranging import (
    Json,
    ended,
    instance,
    later,
    problems,
    reached,
    reacted,
    run,
    started,
    step_of,
    workflow,
)
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


def awaits(condition: str | None = None, step_id: str = "come", event: str = "contact.created", **fields: Any) -> Json:
    return {"id": step_id, "wait_for_event": {"event": event, **({"if": condition} if condition else {})}, **fields}


NAMED = "{{ event.data.name == input.name }}"


async def new_contact(client: Client, name: str = "Ana", **fields: Any) -> Json:
    made: Json = await client.call("/v1/contacts/create", {"name": name, **fields})
    return made


async def waiting(client: Client, made: Json, **input_: Any) -> Json:
    return await reached(client, await started(client, made, **input_), "waiting")


def waits_of(owner: psycopg.Connection, organization: Organization) -> int:
    [(count,)] = owner.execute(
        "select count(*) from workflow_event_waits where org_id = %s", (organization.id,)
    ).fetchall()
    return int(count)


@pytest.mark.usefixtures("worker")
async def test_the_run_goes_on_with_the_event(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, awaits())
    run_ = await waiting(acme.live, made)

    contact = await new_contact(acme.live)
    found = await ended(acme.live, run_)

    output = step_of(found, "come")["output"]
    assert (output["event"], output["timestamp"]) == ("contact.created", contact["created_at"])
    assert (output["data"]["id"], output["event_id"][:4]) == (contact["id"], "evt_")
    assert step_of(found, "come")["input"] == {"event": "contact.created"}
    assert waits_of(owner, acme) == 0


@pytest.mark.usefixtures("worker")
async def test_only_an_event_for_which_the_condition_is_true_ends_the_wait(
    acme: Organization, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, awaits(NAMED))
    ana, eva = await waiting(acme.live, made, name="Ana"), await waiting(acme.live, made, name="Eva")

    await new_contact(acme.live, "Eva")
    found = await ended(acme.live, eva)
    await reacted(acme, owner)

    assert step_of(found, "come")["output"]["data"]["name"] == "Eva"
    assert (await instance(acme.live, ana))["status"] == "waiting"


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    "condition",
    [
        "{{ 'vip' in event.data.tags && event.data.name == input.name }}",
        "{{ event.data.name.startsWith(input.name) }}",
        "{{ input.name == event.data['name'] }}",
        "{{ event.data.custom_fields.number == input.number }}",
        "{{ event.data.custom_fields.number == 7 }}",
        "{{ event.data.custom_fields.number > input.number - 1 }}",
        "{{ event.data.type == 'person' && event.data.company_id == null && size(steps.big.output.text) > 0 }}",
        "{{ now >= timestamp(event.timestamp) && event.data.name == input.name }}",
        "{{ has(steps.big) && event.event == 'contact.created' && event.data.tags.exists(t, t == input.name) }}",
    ],
)
async def test_conditions_of_all_kinds_find_their_event(acme: Organization, condition: str) -> None:
    big = {"id": "big", "set": {"text": "x" * 20_000}}
    made = await workflow(acme.live, big, awaits(condition))
    run_ = await waiting(acme.live, made, name="Ana", number=7)

    await new_contact(acme.live, "Bob", custom_fields={"number": 1}, company_id=(await company(acme.live))["id"])
    assert (await instance(acme.live, run_))["status"] == "waiting"
    await new_contact(acme.live, "Ana", tags=["vip", "Ana"], custom_fields={"number": 7.0})

    found = await ended(acme.live, run_)
    assert step_of(found, "come")["output"]["data"]["name"] == "Ana"


async def company(client: Client) -> Json:
    made: Json = await client.call(
        "/v1/contacts/create", {"name": "S.L.", "type": "company", "custom_fields": {"number": 0}}
    )
    return made


@pytest.mark.usefixtures("worker")
async def test_an_event_that_came_since_the_run_began_counts(acme: Organization) -> None:
    make = {"id": "make", "uses": "contacts.create", "with": {"name": "{{ input.name }}"}}
    made = await workflow(acme.live, make, awaits("{{ event.data.id == steps.make.output.id }}"))

    found = await run(acme.live, made, name="Ana")

    assert step_of(found, "come")["output"]["data"]["id"] == step_of(found, "make")["output"]["id"]


@pytest.mark.usefixtures("worker")
async def test_an_event_from_before_the_run_does_not(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, awaits())
    await new_contact(acme.live)
    await reacted(acme, owner)

    run_ = await waiting(acme.live, made)

    assert (await instance(acme.live, run_))["status"] == "waiting"


@pytest.mark.usefixtures("worker")
async def test_an_event_from_before_that_is_seen_to_only_now_does_not_count_either(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, awaits())
    async with working(services):
        await new_contact(acme.live)
    run_ = await waiting(acme.live, made)

    await reacted(acme, owner)

    assert (await instance(acme.live, run_))["status"] == "waiting"


@pytest.mark.usefixtures("worker")
async def test_each_pass_of_a_loop_has_an_event_of_its_own(acme: Organization) -> None:
    loop = {"id": "each", "while": "{{ index < 3 }}", "max": 3, "steps": [awaits()]}
    made = await workflow(acme.live, loop)
    run_ = await waiting(acme.live, made)

    for name in ("Ana", "Eva", "Bob"):
        await new_contact(acme.live, name)
    found = await ended(acme.live, run_)

    names = [step["output"]["data"]["name"] for step in found["steps"] if step["step_id"] == "come"]
    assert sorted(names) == ["Ana", "Bob", "Eva"]


@pytest.mark.usefixtures("worker")
async def test_events_too_large_for_a_row_are_told_apart_too(acme: Organization) -> None:
    loop = {"id": "each", "while": "{{ index < 2 }}", "max": 3, "steps": [awaits()]}
    run_ = await waiting(acme.live, await workflow(acme.live, loop))

    for name in ("Ana", "Eva"):
        await new_contact(acme.live, name, custom_fields={f"f{number}": "x" * 900 for number in range(45)})
    found = await ended(acme.live, run_)

    assert len([step for step in found["steps"] if step["step_id"] == "come"]) == 2


@pytest.mark.usefixtures("worker")
async def test_items_that_wait_side_by_side_share_no_event(acme: Organization) -> None:
    loop = {"id": "each", "for_each": "{{ [1, 2, 3] }}", "concurrency": 3, "steps": [awaits()]}
    made = await workflow(acme.live, loop)
    run_ = await waiting(acme.live, made)

    for name in ("Ana", "Eva", "Bob"):
        await new_contact(acme.live, name)
    found = await ended(acme.live, run_)

    names = [step["output"]["data"]["name"] for step in found["steps"] if step["step_id"] == "come"]
    assert sorted(names) == ["Ana", "Bob", "Eva"]


@pytest.mark.usefixtures("worker")
async def test_without_an_event_in_its_time_the_step_fails(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, awaits(timeout_seconds=60, on_error="continue"), {"id": "on", "set": {"a": 1}})
    run_ = await waiting(acme.live, made)

    later(services, clock, minutes=2)
    found = await ended(acme.live, run_)

    assert step_of(found, "come")["error"]["code"] == "TIMEOUT"
    assert waits_of(owner, acme) == 0


@pytest.mark.usefixtures("worker")
async def test_a_condition_that_cannot_be_evaluated_fails_the_step(
    acme: Organization, owner: psycopg.Connection
) -> None:
    made = await workflow(
        acme.live, awaits("{{ event.data.custom_fields.kind == 'x' && event.data.custom_fields.nothing > 1 }}")
    )
    run_ = await waiting(acme.live, made)
    await new_contact(acme.live, custom_fields={"kind": "y"})
    await reacted(acme, owner)
    assert (await instance(acme.live, run_))["status"] == "waiting"

    await new_contact(acme.live, custom_fields={"kind": "x"})
    found = await ended(acme.live, run_, "failed")

    assert found["error"]["details"]["field"] == "wait_for_event.if"
    assert waits_of(owner, acme) == 0


@pytest.mark.usefixtures("worker")
async def test_the_first_of_several_branches_leaves_no_wait_behind(
    acme: Organization, owner: psycopg.Connection
) -> None:
    race = {
        "id": "race", "join": "first",
        "parallel": {"created": [awaits(step_id="a")], "updated": [awaits(step_id="b", event="contact.updated")]},
    }  # fmt: skip
    made = await workflow(acme.live, race)
    run_ = await waiting(acme.live, made)
    assert waits_of(owner, acme) == 2

    await new_contact(acme.live)
    found = await ended(acme.live, run_)

    assert step_of(found, "race")["output"]["first"] == "created"
    assert waits_of(owner, acme) == 0


@pytest.mark.usefixtures("worker")
async def test_runs_of_an_earlier_version_are_found_too(acme: Organization) -> None:
    made = await workflow(acme.live, awaits(NAMED))
    run_ = await waiting(acme.live, made, name="Ana")

    await acme.live.call("/v1/workflows/update", {"id": made["id"], "steps": [{"id": "x", "set": {"a": 1}}]})
    await acme.live.call("/v1/workflows/delete", {"id": made["id"]})
    await new_contact(acme.live, "Ana")

    await ended(acme.live, run_)


@pytest.mark.usefixtures("worker")
async def test_no_event_slips_between_the_look_and_the_sleep(acme: Organization) -> None:
    made = await workflow(acme.live, awaits(NAMED))

    async def one(number: int) -> None:
        run_ = await started(acme.live, made, name=f"C{number}")
        await asyncio.sleep(number % 10 / 200)
        await new_contact(acme.live, f"C{number}")
        await ended(acme.live, run_)

    for batch in range(4):
        await asyncio.gather(*(one(batch * 10 + number) for number in range(10)))


async def test_a_crash_while_runs_are_woken_leaves_none_asleep(
    acme: Organization, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "_BATCH", 3)
    made = await workflow(acme.live, awaits())
    async with working(services, HANDLERS):
        runs = [await waiting(acme.live, made) for _ in range(8)]
        monkeypatch.setattr(delivering, "wake", dies_at(5, delivering.wake))

        await new_contact(acme.live)

        for each in runs:
            await ended(acme.live, each)


@pytest.mark.usefixtures("worker")
async def test_another_organization_hears_nothing(
    acme: Organization, rival: Organization, owner: psycopg.Connection
) -> None:
    made = await workflow(rival.live, awaits())
    theirs = await waiting(rival.live, made)
    await workflow(acme.live, awaits())

    await new_contact(acme.live)
    await new_contact(rival.sandbox)
    await reacted(acme, owner)
    await reacted(rival, owner)

    assert (await instance(rival.live, theirs))["status"] == "waiting"


@pytest.mark.usefixtures("worker")
async def test_a_cancelled_run_waits_no_more(acme: Organization, owner: psycopg.Connection) -> None:
    run_ = await waiting(acme.live, await workflow(acme.live, awaits()))

    await acme.live.call("/v1/workflows/cancel_instance", {"instance_id": run_["instance_id"]})
    await new_contact(acme.live)
    await reacted(acme, owner)

    assert (await instance(acme.live, run_))["status"] == "cancelled"
    assert waits_of(owner, acme) == 0


@pytest.mark.usefixtures("worker")
async def test_a_paused_run_has_its_event_when_it_is_resumed(acme: Organization, owner: psycopg.Connection) -> None:
    run_ = await waiting(acme.live, await workflow(acme.live, awaits()))
    await acme.live.call("/v1/workflows/pause_instance", {"instance_id": run_["instance_id"]})

    await new_contact(acme.live, "Ana")
    await reacted(acme, owner)
    assert (await instance(acme.live, run_))["status"] == "paused"
    await acme.live.call("/v1/workflows/resume_instance", {"instance_id": run_["instance_id"]})

    assert step_of(await ended(acme.live, run_), "come")["output"]["data"]["name"] == "Ana"


async def test_subscriptions_of_workflows_that_are_gone_for_good_go_too(
    acme: Organization, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, awaits())
    owner.execute("delete from workflow_versions where org_id = %s", (acme.id,))
    owner.execute("delete from workflows where org_id = %s and id = %s", (acme.id, made["id"]))

    owner.execute("select prune_lost_subscriptions(now() + interval '1 year', 1000)")

    assert owner.execute("select from event_subscriptions where org_id = %s", (acme.id,)).fetchall() == []


async def test_what_the_condition_names_is_checked_when_it_is_saved(acme: Organization) -> None:
    reply = await acme.live.post(
        "/v1/workflows/create", {"name": "x", "steps": [awaits("{{ event.data.id == steps.later.output.id }}")]}
    )

    assert problems(reply) == [("steps[0].wait_for_event.if", "reference")]


def dies_at(call: int, work: Any) -> Any:
    """Like `work`, but for one call of it."""
    calls = iter(range(1, 1000))

    async def broken(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            raise ConnectionError
        return await work(*args, **kwargs)

    return broken
