"""Who decides at the same time as somebody else, the deadline, or the end of the run: there is one outcome."""

import asyncio
from collections import Counter
from copy import copy
from dataclasses import replace

import psycopg
import pytest

from bivelio_server.durable.tasks import TOPIC as TASKS
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.errors import Conflict
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.workflows.approvals import asking, queries
from bivelio_server.workflows.approvals.operations import decide
from bivelio_server.workflows.approvals.schemas import ApprovalDecide
from tests.workflows.arranging import HELLO, ended, events_of, later, run, step_of, until, workflow
from tests.workflows.deciding import AFTER, DECIDE, approval, decided, parked, waiting_in
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

DAY = 24 * 3600


async def test_of_many_who_decide_at_once_one_does(acme: Organization) -> None:
    people = [acme.person("admin") for _ in range(6)]
    going = await parked(acme)
    [waiting] = await waiting_in(acme.live, going)

    replies = await asyncio.gather(
        *(
            person.post(
                DECIDE, {"approval_id": waiting["approval_id"], "decision": "approve" if number % 2 else "reject"}
            )
            for number, person in enumerate(people)
        )
    )

    assert Counter(reply.status_code for reply in replies) == {200: 1, 409: 5}
    [winner] = [reply.json()["data"] for reply in replies if reply.status_code == 200]
    told = {reply.json()["error"]["details"]["decided_by"] for reply in replies if reply.status_code == 409}
    assert told == {winner["decided_by"]}
    done = await ended(acme.live, going)
    assert step_of(done, "ok")["output"]["decided_by"] == winner["decided_by"]


async def test_a_decision_begun_before_the_deadline_counts(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    """Though it is committed after it, and the run has been looked at meanwhile."""
    going = await parked(acme, approval(deadline_seconds=DAY, default="reject"), AFTER)
    [waiting] = await waiting_in(acme.live, going)

    async with transaction(_owner_of(acme), services, Origin(Door.http)) as context:
        await decide(context, ApprovalDecide(approval_id=waiting["approval_id"], decision="approve"))
        later(services, clock, days=2)
        await run(acme.live, await workflow(acme.live, HELLO), name="Ana")  # the worker is at work
    services.wakeups.wake(TASKS)

    assert (await ended(acme.live, going))["output"] == {"said": "approved"}


async def test_a_deadline_that_comes_after_the_decision_is_told_to_nobody(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    going = await parked(acme, approval(deadline_seconds=DAY, default="reject"), AFTER)
    [waiting] = await waiting_in(acme.live, going)
    async with transaction(_owner_of(acme), services, Origin(Door.http)) as context:
        seen = await asking.look(context, waiting["approval_id"])
    await decided(acme.person("admin"), waiting)

    async with transaction(_owner_of(acme), services, Origin(Door.workflow)) as context:
        passed = await asking.pass_deadline(context, seen)

    assert passed.status == "approved"
    assert [event["data"]["status"] for event in events_of(owner, acme, "approval.decided")] == ["approved"]


async def test_a_deadline_under_way_is_waited_for_by_who_decides(
    acme: Organization, services: Services, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose clock is behind: there the deadline is yet to come."""
    going = await parked(acme, approval(deadline_seconds=DAY, default="reject"), AFTER)
    [waiting] = await waiting_in(acme.live, going)
    behind = replace(services, clock=copy(clock))
    reached, go_on, end = asyncio.Event(), asyncio.Event(), queries.end

    async def slow_end(context: Context, approval_id: str, status: str) -> bool:
        is_late = await end(context, approval_id, status)
        reached.set()
        await go_on.wait()
        return is_late

    async def decide_late() -> None:
        async with transaction(_owner_of(acme), behind, Origin(Door.http)) as context:
            await decide(context, ApprovalDecide(approval_id=waiting["approval_id"], decision="approve"))

    monkeypatch.setattr(queries, "end", slow_end)
    later(services, clock, days=2)
    await reached.wait()
    deciding = asyncio.create_task(decide_late())
    await _until_somebody_waits_for_a_lock(acme)
    go_on.set()

    with pytest.raises(Conflict) as refusal:
        await deciding
    assert refusal.value.details["status"] == "rejected"
    assert (await ended(acme.live, going))["output"] == {"said": "rejected"}


async def test_what_is_decided_while_the_run_does_something_else_is_not_missed(acme: Organization) -> None:
    """Two branches ask one after the other; the first is decided before the second has asked."""
    second = [{"id": "pause", "wait": {"seconds": 1}}, approval("later", title="dos")]
    beside = {"id": "both", "parallel": {"one": [approval("first", title="uno")], "two": second}}
    going = await parked(acme, beside)
    [first] = await waiting_in(acme.live, going)

    await decided(acme.owner, first)
    [other] = await waiting_in(acme.live, going)
    await decided(acme.owner, other)

    assert (await ended(acme.live, going))["status"] == "completed"


def _owner_of(acme: Organization) -> Caller:
    return Caller(acme.id, Environment.live, f"user:{acme.owner_id}", acme.owner_id, frozenset({"admin"}))


async def _until_somebody_waits_for_a_lock(acme: Organization) -> None:
    async def waits() -> bool:
        return acme.world.database.execute("select from pg_locks where not granted").rowcount > 0

    await until(waits)
