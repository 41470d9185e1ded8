"""A developer moves the sandbox's clock; live time is nobody's to move."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from tests.workflows.arranging import HELLO, ended, instance, reached, started, until, workflow
from tests.world import PASSWORD, Organization

pytestmark = pytest.mark.anyio

HOUR: Final = 3600
ADVANCE: Final = "/v1/sandbox/advance_clock"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_what_happens_in_the_sandbox_happens_by_its_clock(acme: Organization, clock: MovableClock) -> None:
    await acme.sandbox.call(ADVANCE, {"seconds": 5 * HOUR})

    moved = await acme.sandbox.call(ADVANCE, {"seconds": HOUR})
    contact = await acme.sandbox.call("/v1/contacts/create", {"name": "Maria"})

    assert moved["ahead_seconds"] == 6 * HOUR
    for told in (moved["now"], contact["created_at"]):
        assert abs(at(told) - clock.now() - timedelta(hours=6)) < timedelta(seconds=30)
    assert (await acme.sandbox.call("/v1/sandbox/get_clock"))["ahead_seconds"] == 6 * HOUR


async def test_live_time_and_that_of_other_sandboxes_stay(
    acme: Organization, rival: Organization, clock: MovableClock
) -> None:
    await acme.sandbox.call(ADVANCE, {"seconds": 5 * HOUR})

    for client in (acme.live, rival.sandbox, rival.live):
        contact = await client.call("/v1/contacts/create", {"name": "Maria"})
        assert abs(at(contact["created_at"]) - clock.now()) < timedelta(seconds=30)
    assert (await rival.sandbox.call("/v1/sandbox/get_clock"))["ahead_seconds"] == 0


async def test_a_wait_ends_when_the_clock_is_moved(acme: Organization, worker: None) -> None:
    made = await workflow(acme.sandbox, {"id": "pause", "wait": {"seconds": HOUR}}, HELLO)
    waiting = await reached(acme.sandbox, await started(acme.sandbox, made, name="Ana"), "waiting")

    await acme.sandbox.call(ADVANCE, {"seconds": HOUR})

    found = await ended(acme.sandbox, waiting)
    assert found["output"] == {"text": "Hola Ana"}
    assert found["duration_ms"] >= HOUR * 1000


async def test_a_wait_that_begins_after_the_clock_was_moved_lasts_as_long(acme: Organization, worker: None) -> None:
    await acme.sandbox.call(ADVANCE, {"seconds": 7 * HOUR})
    made = await workflow(
        acme.sandbox, {"id": "pause", "wait": {"seconds": HOUR}}, {"id": "again", "wait": {"seconds": 1}}
    )
    waiting = await reached(acme.sandbox, await started(acme.sandbox, made), "waiting")

    await acme.sandbox.call(ADVANCE, {"seconds": HOUR - 60})
    still = await instance(acme.sandbox, waiting)
    await acme.sandbox.call(ADVANCE, {"seconds": 60})

    assert (still["status"], still["current_step"]) == ("waiting", 1)
    await ended(acme.sandbox, waiting)


async def test_no_run_oversleeps_that_goes_to_sleep_while_the_clock_moves(acme: Organization, worker: None) -> None:
    made = await workflow(acme.sandbox, {"id": "pause", "wait": {"seconds": HOUR}})
    runs = []
    for _ in range(4):
        begun = [started(acme.sandbox, made) for _ in range(4)]
        moved = [acme.sandbox.call(ADVANCE, {"seconds": 60}) for _ in range(3)]
        runs += (await asyncio.gather(*begun, *moved))[:4]
    for run in runs:
        await reached(acme.sandbox, run, "waiting")

    await acme.sandbox.call(ADVANCE, {"seconds": HOUR})

    for run in runs:
        await ended(acme.sandbox, run)


async def test_live_waits_are_not_moved(acme: Organization, owner: psycopg.Connection, worker: None) -> None:
    made = await workflow(acme.live, {"id": "pause", "wait": {"seconds": HOUR}})
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")
    due = "select r.available_at from absurd.r_work r join workflow_instances i using (task_id) where i.id = %s"
    before = owner.execute(due, (waiting["instance_id"],)).fetchall()

    await acme.sandbox.call(ADVANCE, {"seconds": 2 * HOUR})

    assert owner.execute(due, (waiting["instance_id"],)).fetchall() == before


async def test_what_is_a_day_old_by_the_moved_clock_goes(acme: Organization, worker: None) -> None:
    for client in (acme.sandbox, acme.live):
        await client.call("/v1/contacts/create", {"name": "Maria"})

    await acme.sandbox.call(ADVANCE, {"seconds": 25 * HOUR})

    async def is_gone() -> bool:
        return (await acme.sandbox.call("/v1/contacts"))["pagination"]["total"] == 0

    await until(is_gone)
    assert (await acme.live.call("/v1/contacts"))["pagination"]["total"] == 1


async def test_reset_empties_the_sandbox_and_sets_its_clock_right(acme: Organization, rival: Organization) -> None:
    await acme.sandbox.call(ADVANCE, {"seconds": 5 * HOUR})
    for client in (acme.sandbox, acme.live, rival.sandbox):
        company = await client.call("/v1/contacts/create", {"name": "Empresa", "type": "company"})
        await client.call("/v1/contacts/create", {"name": "Maria", "company_id": company["id"]})
        made = await workflow(client, HELLO)
        await started(client, made)

    reply = await acme.sandbox.call("/v1/sandbox/reset")

    assert reply["removed"] >= 6
    totals = [
        (await client.call("/v1/contacts"))["pagination"]["total"]
        for client in (acme.sandbox, acme.live, rival.sandbox)
    ]
    assert totals == [0, 2, 2]
    assert (await acme.sandbox.call("/v1/sandbox/get_clock"))["ahead_seconds"] == 0


@pytest.mark.parametrize("path", ["advance_clock", "get_clock", "reset", "list_messages"])
async def test_live_credentials_are_refused(acme: Organization, path: str) -> None:
    reply = await acme.live.post(f"/v1/sandbox/{path}", {"seconds": 60} if path == "advance_clock" else {})

    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "AUTH_INSUFFICIENT_SCOPE")
    assert "bv_test_sk_" in reply.json()["error"]["message"]


@pytest.mark.parametrize("seconds", [0, -1, 31 * 86400 + 1, "60", None])
async def test_a_step_of_the_clock_has_bounds(acme: Organization, seconds: object) -> None:
    reply = await acme.sandbox.post(ADVANCE, {"seconds": seconds})

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "seconds")


async def test_the_clock_goes_ten_years_ahead_at_most(acme: Organization, owner: psycopg.Connection) -> None:
    await acme.sandbox.call(ADVANCE, {"seconds": 60})
    owner.execute("update sandbox_clocks set ahead = interval '3659 days' where org_id = %s", (acme.id,))

    reply = await acme.sandbox.post(ADVANCE, {"seconds": 2 * 86400})

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (422, "seconds")
    assert (await acme.sandbox.call("/v1/sandbox/get_clock"))["ahead_seconds"] == 3659 * 86400


async def test_people_and_their_sign_ins_go_by_the_true_time(acme: Organization, clock: MovableClock) -> None:
    """However far ahead a sandbox is, nobody's password attempts are forgotten, and a session that is opened works."""
    tokens = await acme.world.http.post(
        "/sandbox/v1/auth/token?grant_type=password", json={"email": acme.email, "password": PASSWORD}
    )
    person = acme.world.bearer(tokens.json()["access_token"])
    for _ in range(3):
        await acme.sandbox.call(ADVANCE, {"seconds": 31 * 24 * HOUR})

    wrong = {"current_password": "not this one", "new_password": "another long password"}
    refusals = [(await person.post("/v1/account/change_password", wrong)).status_code for _ in range(3)]
    organization = await person.call("/v1/organization/create", {"name": "Second"})
    switched = await person.call("/v1/organization/switch", {"organization_id": organization["id"]})

    assert set(refusals) <= {401, 403, 422}
    assert abs(at(organization["created_at"]) - clock.now()) < timedelta(seconds=30)
    assert (await acme.world.bearer(switched["access_token"]).post("/v1/contacts")).status_code == 200
    assert (await acme.sign_in())["access_token"]
