"""Runs that wait for somebody's decision."""

from typing import Any

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.workflows.arranging import (
    HELLO,
    code_of,
    create_contact,
    ended,
    events_of,
    instance,
    later,
    problems,
    reached,
    run,
    step_of,
    workflow,
)
from tests.workflows.deciding import AFTER, DECIDE, approval, decided, parked, waiting_in
from tests.world import Client, Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

DAY = 24 * 3600


async def test_a_run_waits_until_somebody_approves(acme: Organization) -> None:
    ana = acme.person("admin")
    going = await parked(acme)
    [waiting] = await waiting_in(acme.live, going)

    answer = await decided(ana, waiting, comment="Adelante.")

    assert waiting["title"] == "Factura de 1250 €"
    assert {name: waiting[name] for name in ("status", "path", "instance_id", "workflow_id", "workflow_name")} == {
        "status": "pending", "path": "ok", "instance_id": going["instance_id"], "workflow_id": going["workflow_id"],
        "workflow_name": "Onboarding",
    }  # fmt: skip
    assert waiting["approvers"] == {"roles": ["owner", "admin"], "users": []}
    assert [waiting[name] for name in ("message", "deadline", "default", "decided_by", "decided_at", "comment")] == (
        [None] * 6
    )
    assert (answer["status"], answer["decided_by"], answer["comment"]) == (
        "approved", f"user:{ana.user_id}", "Adelante.",
    )  # fmt: skip
    done = await ended(acme.live, going)
    assert done["output"] == {"said": "approved"}
    ok = step_of(done, "ok")
    assert ok["output"] == {
        "decision": "approved", "decided_by": answer["decided_by"], "decided_at": answer["decided_at"],
        "comment": "Adelante.",
    }  # fmt: skip
    assert (ok["status"], ok["attempts"], ok["input"]["title"]) == ("completed", 1, "Factura de 1250 €")
    assert await acme.live.call("/v1/workflows/get_approval", {"approval_id": waiting["approval_id"]}) == answer


async def test_a_run_goes_on_when_somebody_rejects(acme: Organization) -> None:
    branch = {"id": "no", "if": "{{ steps.ok.output.decision == 'rejected' }}", "then": [create_contact(name="No")]}
    going = await parked(acme, approval(), branch)
    [waiting] = await waiting_in(acme.live, going)

    await decided(acme.owner, waiting, "reject")

    done = await ended(acme.live, going)
    assert [step["step_id"] for step in done["steps"]] == ["ok", "no", "contact"]


async def test_a_waiting_step_names_its_approval(acme: Organization) -> None:
    going = await parked(acme)

    [waiting] = await waiting_in(acme.live, going)

    step = step_of(await instance(acme.live, going), "ok")
    assert (step["status"], step["output"]) == ("waiting", {"approval_id": waiting["approval_id"]})


async def test_a_decision_is_taken_once(acme: Organization) -> None:
    ana, luis = acme.person("admin"), acme.person("admin")
    [waiting] = await waiting_in(acme.live, await parked(acme))
    first = await decided(ana, waiting)

    second = await luis.post(DECIDE, {"approval_id": waiting["approval_id"], "decision": "reject"})

    assert code_of(second) == (409, "CONFLICT")
    assert second.json()["error"]["details"] == {
        "status": "approved", "decided_by": first["decided_by"], "decided_at": first["decided_at"],
    }  # fmt: skip


async def test_only_an_approver_may_decide(acme: Organization) -> None:
    editor, admin = acme.person("editor"), acme.person("admin")
    by_role = approval(approvers={"roles": ["owner"], "users": []})
    by_address = approval(approvers={"roles": [], "users": [editor.email.upper()]})
    [for_owner] = await waiting_in(acme.live, await parked(acme, by_role))
    [for_editor] = await waiting_in(acme.live, await parked(acme, by_address))

    refused = [
        await client.post(DECIDE, {"approval_id": waiting["approval_id"], "decision": "approve"})
        for client, waiting in ((admin, for_owner), (editor, for_owner), (admin, for_editor), (acme.owner, for_editor))
    ]

    assert [code_of(reply) for reply in refused] == [(403, "AUTH_INSUFFICIENT_SCOPE")] * 4
    assert (await decided(acme.owner, for_owner))["status"] == "approved"
    assert (await decided(editor, for_editor))["status"] == "approved"


async def test_a_key_decides_as_the_person_who_made_it(acme: Organization) -> None:
    step = approval(approvers={"roles": ["owner"], "users": []})
    [waiting] = await waiting_in(acme.live, await parked(acme, step))

    of_an_admin = await acme.with_role("admin").post(
        DECIDE, {"approval_id": waiting["approval_id"], "decision": "approve"}
    )
    answer = await decided(acme.with_role("owner"), waiting)

    assert code_of(of_an_admin) == (403, "AUTH_INSUFFICIENT_SCOPE")
    assert answer["decided_by"].startswith("key:")


async def test_approvers_may_come_from_an_expression(acme: Organization) -> None:
    boss = acme.person("editor")
    step = approval(approvers={"users": ["{{ input.bosses }}"]})

    [waiting] = await waiting_in(acme.live, await parked(acme, step, bosses=[boss.email]))

    assert waiting["approvers"] == {"roles": [], "users": [boss.email.lower()]}


async def test_what_nobody_could_decide_fails_at_once(acme: Organization) -> None:
    made = await workflow(acme.live, approval(approvers={"users": ["nadie@example.com"]}))

    done = await run(acme.live, made, total=1)

    assert done["status"] == "failed"
    assert done["error"]["details"]["field"] == "approval.approvers"
    assert await waiting_in(acme.live, done, count=0) == []


@pytest.mark.parametrize(("default", "decision"), [("approve", "approved"), ("reject", "rejected")])
async def test_a_default_counts_once_the_deadline_is_over(
    acme: Organization, services: Services, clock: MovableClock, default: str, decision: str
) -> None:
    going = await parked(acme, approval(deadline_seconds=DAY, default=default), AFTER)
    [waiting] = await waiting_in(acme.live, going)

    later(services, clock, days=2)
    done = await ended(acme.live, going)

    assert waiting["deadline"] is not None
    assert done["output"] == {"said": decision}
    output = step_of(done, "ok")["output"]
    assert (output["decided_by"], output["comment"]) == (None, None)
    [settled] = await waiting_in(acme.live, going, decision)
    assert (settled["decided_by"], settled["decided_at"]) == (None, output["decided_at"])


async def test_without_a_default_the_step_fails_at_its_deadline(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    going = await parked(acme, approval(deadline_seconds=DAY), AFTER)
    [waiting] = await waiting_in(acme.live, going)

    later(services, clock, days=2)
    done = await ended(acme.live, going, "failed")
    late = await acme.owner.post(DECIDE, {"approval_id": waiting["approval_id"], "decision": "approve"})

    assert (done["error"]["code"], done["error"]["step_id"]) == ("TIMEOUT", "ok")
    assert step_of(done, "ok")["attempts"] == 1
    assert code_of(late) == (409, "CONFLICT")
    assert late.json()["error"]["details"]["status"] == "expired"


async def test_nobody_decides_after_the_deadline(acme: Organization, clock: MovableClock) -> None:
    """Whether or not the run has noticed it."""
    going = await parked(acme, approval(deadline_seconds=DAY, default="approve"))
    [waiting] = await waiting_in(acme.live, going)
    clock.advance(days=2)

    late = await acme.owner.post(DECIDE, {"approval_id": waiting["approval_id"], "decision": "reject"})

    assert code_of(late) == (409, "CONFLICT")


async def test_a_step_that_runs_out_of_time_asks_no_more(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    going = await parked(acme, {**approval(), "timeout_seconds": DAY, "on_error": "continue"}, HELLO | {"id": "end"})
    [waiting] = await waiting_in(acme.live, going)

    later(services, clock, days=2)
    await reached(acme.live, going, "completed", "failed")
    late = await acme.owner.post(DECIDE, {"approval_id": waiting["approval_id"], "decision": "approve"})

    assert code_of(late) == (409, "CONFLICT")
    assert late.json()["error"]["details"]["status"] == "cancelled"


async def test_each_pass_and_each_branch_has_an_approval_of_its_own(acme: Organization) -> None:
    loop = {
        "id": "each", "for_each": "{{ input.items }}", "concurrency": 3,
        "steps": [approval(title="{{ item }}"), {"id": "got", "set": {"said": "{{ steps.ok.output.decision }}"}}],
    }  # fmt: skip
    beside = {"id": "both", "parallel": {"one": [loop], "two": [approval("other", title="dos")]}}
    going = await parked(acme, beside, items=["a", "b", "c"])
    waiting = await waiting_in(acme.live, going, count=4)

    for each in waiting:
        await decided(acme.owner, each, "reject" if each["title"] == "b" else "approve")

    assert {each["path"]: each["title"] for each in waiting} == {
        "each[0].ok": "a", "each[1].ok": "b", "each[2].ok": "c", "other": "dos",
    }  # fmt: skip
    done = await ended(acme.live, going)
    results = step_of(done, "each")["output"]["results"]
    assert [result["output"]["said"] for result in results] == ["approved", "rejected", "approved"]


async def test_a_branch_that_is_left_is_not_waited_for(acme: Organization) -> None:
    race = {"id": "race", "parallel": {"ask": [approval()], "quick": [create_contact()]}, "join": "first"}
    made = await workflow(acme.live, race)

    done = await run(acme.live, made, total=1)

    assert done["status"] == "completed"
    assert [found["status"] for found in await waiting_in(acme.live, done, "cancelled")] == ["cancelled"]


async def test_a_run_that_fails_elsewhere_asks_no_more(acme: Organization) -> None:
    beside = {"id": "both", "parallel": {"ask": [approval()], "wrong": [HELLO | {"set": {"x": "{{ 1 / 0 }}"}}]}}
    made = await workflow(acme.live, beside)

    done = await run(acme.live, made, total=1)

    assert done["status"] == "failed"
    assert await waiting_in(acme.live, done, "pending", count=0) == []


async def test_lists_hold_what_is_asked_for(acme: Organization) -> None:
    editor = acme.person("editor")
    mine = await parked(acme, approval(approvers={"users": [editor.email]}))
    other = await parked(acme, approval(approvers={"roles": ["owner"]}))
    [first], [second] = await waiting_in(acme.live, mine), await waiting_in(acme.live, other)
    await decided(acme.owner, second)
    done = await ended(acme.live, other)

    async def ids(client: Client, **filters: Any) -> list[str]:
        page = await client.call("/v1/workflows/list_approvals", filters)
        assert page["pagination"]["total"] == len(page["approvals"])
        return [found["approval_id"] for found in page["approvals"]]

    both = [second["approval_id"], first["approval_id"]]
    assert await ids(acme.live) == both
    assert await ids(acme.live, status="approved") == both[:1]
    assert await ids(acme.live, workflow_id=mine["workflow_id"]) == both[1:]
    assert await ids(acme.live, instance_id=done["instance_id"]) == both[:1]
    assert await ids(editor, mine=True) == both[1:]
    assert await ids(acme.owner, mine=True) == []
    assert await ids(acme.with_role("editor"), mine=True) == []


async def test_the_audit_log_names_who_decided(acme: Organization) -> None:
    ana = acme.person("admin")
    [waiting] = await waiting_in(acme.live, await parked(acme))

    await decided(ana, waiting, comment="Bien.")

    page = await acme.live.call("/v1/audit/list", {"operation": "workflows.decide"})
    [entry] = page["entries"]
    assert (entry["actor"], entry["resource_type"], entry["resource_id"]) == (
        f"user:{ana.user_id}", "workflow_approvals", waiting["approval_id"],
    )  # fmt: skip
    assert (entry["before"]["status"], entry["after"]["status"]) == ("pending", "approved")


async def test_the_outside_world_is_told(acme: Organization, owner: psycopg.Connection) -> None:
    [waiting] = await waiting_in(acme.live, await parked(acme))
    answer = await decided(acme.owner, waiting)

    [requested] = events_of(owner, acme, "approval.requested")
    [told] = events_of(owner, acme, "approval.decided")
    assert requested["data"]["approval_id"] == waiting["approval_id"]
    assert (told["data"]["status"], told["data"]["decided_by"]) == ("approved", answer["decided_by"])


async def test_no_workflow_approves(acme: Organization) -> None:
    [waiting] = await waiting_in(acme.live, await parked(acme))
    cheat = {"id": "cheat", "uses": "workflows.decide", "with": {**waiting, "decision": "approve"}}

    reply = await acme.live.post("/v1/workflows/create", {"name": "Cheat", "steps": [cheat]})

    assert ("steps[0].uses", "operation") in problems(reply)


async def test_what_cannot_work_is_refused_when_it_is_saved(acme: Organization) -> None:
    wrong = approval(approvers={"users": ["ana", "{{ input.boss }}"]}, default="approve", title="{{ input. }}")

    reply = await acme.live.post("/v1/workflows/create", {"name": "Gasto", "steps": [wrong]})

    assert problems(reply) == [
        ("steps[0].approval.title", "expression"),
        ("steps[0].approval.deadline_seconds", "required"),
        ("steps[0].approval.approvers.users[0]", "email"),
    ]


async def test_a_cancelled_run_asks_no_more(acme: Organization) -> None:
    going = await parked(acme)
    [waiting] = await waiting_in(acme.live, going)

    await acme.live.call("/v1/workflows/cancel_instance", {"instance_id": going["instance_id"]})
    late = await acme.owner.post(DECIDE, {"approval_id": waiting["approval_id"], "decision": "approve"})

    assert code_of(late) == (409, "CONFLICT")
    assert late.json()["error"]["details"]["status"] == "cancelled"


async def test_a_paused_run_may_be_decided_and_goes_on_once_it_is_resumed(acme: Organization) -> None:
    going = await parked(acme)
    [waiting] = await waiting_in(acme.live, going)
    await acme.live.call("/v1/workflows/pause_instance", {"instance_id": going["instance_id"]})

    await decided(acme.owner, waiting)
    paused = await instance(acme.live, going)
    await acme.live.call("/v1/workflows/resume_instance", {"instance_id": going["instance_id"]})

    assert (paused["status"], step_of(paused, "ok")["status"]) == ("paused", "waiting")
    assert (await ended(acme.live, going))["output"] == {"said": "approved"}


async def test_a_retried_run_asks_anew(acme: Organization, services: Services, clock: MovableClock) -> None:
    going = await parked(acme, approval(deadline_seconds=DAY), AFTER)
    later(services, clock, days=2)
    await ended(acme.live, going, "failed")

    await acme.live.call("/v1/workflows/retry_instance", {"instance_id": going["instance_id"]})
    [anew] = await waiting_in(acme.live, going)
    await decided(acme.owner, anew)

    assert (await ended(acme.live, going))["output"] == {"said": "approved"}
    assert len(await waiting_in(acme.live, going, "expired")) == 1
