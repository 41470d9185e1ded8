"""What an agent may not do by itself: it asks, somebody decides, and it is done with their rights."""

import asyncio

import psycopg
import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.kit.context import Services
from tests.agents.arranging import (
    Json,
    agent,
    audited,
    code_of,
    credits_used,
    execution,
    invoke,
    kinds,
    scripted,
    tools_used,
)
from tests.jobs.arranging import ended
from tests.scripted import says
from tests.workflows.arranging import events_of
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


async def asked(organization: Organization, *, count: int = 1) -> tuple[Json, list[str]]:
    """An execution that waits to erase so many contacts."""
    client = organization.live
    made = [await client.call("/v1/contacts/create", {"name": f"Ana {number}"}) for number in range(count)]
    ids = [contact["id"] for contact in made]
    scripted(organization, says("Los borro", calls=[("contacts_erase", {"id": id_}) for id_ in ids]))
    eraser = await agent(client, "contacts.erase")
    return await invoke(client, eraser["id"], "Olvidad a Ana"), ids


async def decide(client: Client, approval: Json, decision: str, **fields: str) -> Json:
    data = {"approval_id": approval["approval_id"], "decision": decision, **fields}
    found: Json = await client.call("/v1/agents/decide", data)
    return found


async def jobs(client: Client) -> list[Json]:
    found: list[Json] = (await client.call("/v1/jobs/list"))["jobs"]
    return found


async def test_what_cannot_be_undone_waits(acme: Organization, owner: psycopg.Connection) -> None:
    found, [contact] = await asked(acme)

    assert (found["status"], found["completed_at"], found["credits_consumed"]) == ("waiting_approval", None, 1)
    [approval] = found["approvals"]
    assert (approval["operation"], approval["arguments"], approval["status"]) == (
        "contacts.erase", {"id": contact}, "pending",
    )  # fmt: skip
    assert await jobs(acme.live) == []
    assert events_of(owner, acme, "agent.executed") == []
    listed = await acme.live.call("/v1/agents/list_approvals", {"status": "pending"})
    assert [one["approval_id"] for one in listed["approvals"]] == [approval["approval_id"]]


async def test_a_notice_tells_of_it_once_until_it_is_read(acme: Organization) -> None:
    found, contacts = await asked(acme)
    ai = scripted(acme, says(calls=[("contacts_erase", {"id": contacts[0]})]))
    await invoke(acme.live, found["agent_id"])

    page = await acme.live.call("/v1/notices/list", {"kind": "approval.requested"})

    assert len(ai.prompts) == 1
    [notice] = page["notices"]
    assert (notice["resource_id"], notice["details"]["approval_id"]) == (
        found["agent_id"], found["approvals"][0]["approval_id"],
    )  # fmt: skip
    assert "Ayudante" in notice["text"]["es"]


async def test_what_is_approved_is_done_and_the_execution_ends(acme: Organization, owner: psycopg.Connection) -> None:
    found, _ = await asked(acme)

    decided = await decide(acme.live, found["approvals"][0], "approve", comment="Lo ha pedido")

    assert (decided["status"], decided["error"]) == ("approved", None)
    assert [job["operation"] for job in await jobs(acme.live)] == ["contacts.erase"]
    assert [row[2] for row in audited(owner, acme, "contacts.erase")] == ["agent"]
    after = await execution(acme.live, found)
    assert (after["status"], after["output"]["text"]) == ("completed", "Los borro")
    assert [one["decision"] for one in after["output"]["decisions"]] == ["approved"]
    assert kinds(after["trace"])[-1] == "decision"
    [event] = events_of(owner, acme, "agent.executed")
    assert event["data"]["status"] == "completed"


async def test_what_is_rejected_is_not_done(acme: Organization) -> None:
    found, _ = await asked(acme)

    decided = await decide(acme.live, found["approvals"][0], "reject")

    assert (decided["status"], decided["result"]) == ("rejected", None)
    assert await jobs(acme.live) == []
    assert (await execution(acme.live, found))["status"] == "completed"


async def test_an_execution_waits_for_all_that_it_asked(acme: Organization) -> None:
    found, _ = await asked(acme, count=2)

    await decide(acme.live, found["approvals"][0], "approve")
    between = await execution(acme.live, found)
    await decide(acme.live, found["approvals"][1], "reject")

    assert between["status"] == "waiting_approval"
    assert (await execution(acme.live, found))["status"] == "completed"
    assert len(await jobs(acme.live)) == 1


async def test_nobody_decides_twice(acme: Organization) -> None:
    found, _ = await asked(acme)
    [approval] = found["approvals"]
    await decide(acme.live, approval, "approve")

    for decision in ("approve", "reject"):
        data = {"approval_id": approval["approval_id"], "decision": decision}
        assert code_of(await acme.live.post("/v1/agents/decide", data)) == (409, "CONFLICT")
    assert len(await jobs(acme.live)) == 1


async def test_two_who_approve_at_once_do_it_once(acme: Organization) -> None:
    found, _ = await asked(acme)
    data = {"approval_id": found["approvals"][0]["approval_id"], "decision": "approve"}

    replies = await asyncio.gather(*(acme.live.post("/v1/agents/decide", data) for _ in range(4)))

    assert {reply.status_code for reply in replies} <= {200, 409}
    assert 200 in {reply.status_code for reply in replies}
    assert len(await jobs(acme.live)) == 1
    after = await execution(acme.live, found)
    assert (after["status"], len(after["output"]["decisions"])) == ("completed", 1)


async def test_who_may_not_do_it_may_not_approve_it(acme: Organization) -> None:
    found, _ = await asked(acme)
    data = {"approval_id": found["approvals"][0]["approval_id"], "decision": "approve"}

    reply = await acme.key("write").post("/v1/agents/decide", data)

    assert code_of(reply) == (403, "AUTH_INSUFFICIENT_SCOPE")
    assert (await execution(acme.live, found))["approvals"][0]["status"] == "pending"


async def test_what_is_no_longer_granted_can_only_be_rejected(acme: Organization) -> None:
    found, _ = await asked(acme)
    await acme.live.call("/v1/agents/update", {"id": found["agent_id"], "tools": []})
    data = {"approval_id": found["approvals"][0]["approval_id"], "decision": "approve"}

    assert code_of(await acme.live.post("/v1/agents/decide", data)) == (409, "CONFLICT")
    assert (await decide(acme.live, found["approvals"][0], "reject"))["status"] == "rejected"


async def test_what_is_approved_and_fails_is_told(acme: Organization) -> None:
    scripted(acme, says(calls=[("contacts_erase", {"id": "ct_nobody"})]))
    eraser = await agent(acme.live, "contacts.erase")
    found = await invoke(acme.live, eraser["id"])

    decided = await decide(acme.live, found["approvals"][0], "approve")

    assert decided["error"]["code"] == "RESOURCE_NOT_FOUND"
    assert (await execution(acme.live, found))["status"] == "completed"


async def test_what_is_granted_without_approval_is_done_at_once(acme: Organization) -> None:
    contact = await acme.live.call("/v1/contacts/create", {"name": "Ana"})
    scripted(acme, says(calls=[("contacts_erase", {"id": contact["id"]})]), says("Hecho"))
    eraser = await agent(acme.live, {"operation": "contacts.erase", "without_approval": True})

    found = await invoke(acme.live, eraser["id"])

    assert (found["status"], found["approvals"]) == ("completed", [])
    assert tools_used((await execution(acme.live, found))["trace"]) == [("contacts.erase", "done")]


async def test_long_work_that_was_approved_comes_to_its_end(acme: Organization, services: Services) -> None:
    found, [contact] = await asked(acme)
    decided = await decide(acme.live, found["approvals"][0], "approve")

    async with working(services, HANDLERS):
        job = await ended(acme.live, decided["result"]["job_id"])

    assert (job["status"], job["result"]["contact_id"]) == ("completed", contact)


async def test_waiting_costs_what_the_model_did(acme: Organization) -> None:
    found, _ = await asked(acme)
    await decide(acme.live, found["approvals"][0], "approve")

    assert await credits_used(acme.live) == (1, 0)
