"""Rotating a key: the old and the new one side by side, for as long as one chooses."""

import asyncio
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from tests.accounts.test_key_changes import GET, REVOKE, UPDATE, refused, stamp
from tests.accounts.test_keys import made_key, set_role
from tests.world import Organization

pytestmark = pytest.mark.anyio

ROTATE = "/v1/keys/rotate"
CONTACTS = "/v1/contacts"


async def works(acme: Organization, key: str) -> bool:
    status = (await acme.world.client(key).post(CONTACTS)).status_code
    assert status in (200, 401)
    return status == 200


async def test_the_successor_is_the_same_but_for_the_secret(acme: Organization, clock: MovableClock) -> None:
    end = stamp(clock.now() + timedelta(days=90))
    origins = ["https://app.example.com"]
    old = await made_key(acme.live, type="publishable", allowed_origins=origins, expires_at=end)

    new = await acme.live.call(ROTATE, {"id": old["id"]})

    same = ("name", "type", "environment", "scopes", "allowed_origins", "api_version", "expires_at", "prefix")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert (new["id"] != old["id"], new["key"] != old["key"], new["rotated_from"]) == (True, True, old["id"])
    assert new["rotation"] is None


async def test_both_work_while_the_grace_lasts_and_it_is_seen_to_run_out(
    acme: Organization, clock: MovableClock
) -> None:
    old = await made_key(acme.live)
    new = await acme.live.call(ROTATE, {"id": old["id"], "grace_seconds": 3600})
    assert (new["previous"]["id"], new["previous"]["rotation"]["seconds_left"]) == (old["id"], 3600)

    clock.advance(minutes=59, seconds=55)
    rotation = (await acme.live.call(GET, {"id": old["id"]}))["rotation"]
    assert (await works(acme, old["key"]), await works(acme, new["key"])) == (True, True)
    clock.advance(seconds=5)

    assert rotation["successor_id"] == new["id"]
    assert 1 <= rotation["seconds_left"] <= 5
    assert (await works(acme, old["key"]), await works(acme, new["key"])) == (False, True)
    assert (await acme.live.call(GET, {"id": old["id"]}))["rotation"]["seconds_left"] == 0


async def test_the_grace_is_a_day_unless_chosen(acme: Organization) -> None:
    old = await made_key(acme.live)

    new = await acme.live.call(ROTATE, {"id": old["id"]})

    assert new["previous"]["rotation"]["seconds_left"] == 86400


async def test_without_grace_the_old_key_is_dead_at_once(acme: Organization) -> None:
    old = await made_key(acme.live)

    new = await acme.live.call(ROTATE, {"id": old["id"], "grace_seconds": 0})

    assert (await works(acme, old["key"]), await works(acme, new["key"])) == (False, True)
    assert new["previous"]["revoked_at"] is not None


@pytest.mark.parametrize("grace", [-1, 604801, 1.5, "3600"])
async def test_refuses_an_impossible_grace(acme: Organization, grace: object) -> None:
    old = await made_key(acme.live)

    assert await refused(acme.live, ROTATE, {"id": old["id"], "grace_seconds": grace}) == (
        400, "VALIDATION_ERROR", "grace_seconds",
    )  # fmt: skip


async def test_a_key_is_rotated_once(acme: Organization) -> None:
    old = await made_key(acme.live)
    new = await acme.live.call(ROTATE, {"id": old["id"]})

    assert (await refused(acme.live, ROTATE, {"id": old["id"]}))[:2] == (409, "CONFLICT")
    assert (await acme.live.call(ROTATE, {"id": new["id"]}))["rotated_from"] == new["id"]


async def test_of_many_rotations_at_once_one_counts(acme: Organization) -> None:
    old = await made_key(acme.live, scopes=["admin"])
    itself = acme.world.client(old["key"])

    replies = await asyncio.gather(*(client.post(ROTATE, {"id": old["id"]}) for client in [acme.live, itself] * 5))

    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 9


async def test_what_is_dead_is_not_rotated(acme: Organization, clock: MovableClock) -> None:
    revoked = await made_key(acme.live)
    await acme.live.call(REVOKE, {"id": revoked["id"]})
    expired = await made_key(acme.live, expires_at=stamp(clock.now() + timedelta(minutes=1)))
    clock.advance(minutes=1)

    for key in (revoked, expired):
        assert (await refused(acme.live, ROTATE, {"id": key["id"]}))[:2] == (409, "CONFLICT")


async def test_who_rotates_must_have_the_keys_scopes(acme: Organization) -> None:
    key = await made_key(acme.live, scopes=["contacts:write"])

    assert await refused(acme.key("keys:admin", "read"), ROTATE, {"id": key["id"]}) == (
        403, "AUTH_INSUFFICIENT_SCOPE", "scopes",
    )  # fmt: skip
    assert (await acme.live.call(GET, {"id": key["id"]}))["rotation"] is None


async def test_the_successor_may_no_more_than_the_old_keys_maker_may_now(
    acme: Organization, owner: psycopg.Connection
) -> None:
    admin = acme.member("admin")
    old = await made_key(acme.key("admin", made_by=admin), scopes=["admin"])
    set_role(owner, acme, admin, "viewer")

    new = await acme.live.call(ROTATE, {"id": old["id"]})

    assert new["scopes"] == ["read"]
    assert (await acme.world.client(new["key"]).post("/v1/contacts/create", {"name": "x"})).status_code == 403


async def test_revoking_the_old_key_spares_a_successor_that_a_person_asked_for(acme: Organization) -> None:
    person = acme.world.bearer((await acme.sign_in())["access_token"])
    maker = await made_key(acme.live, scopes=["admin"])
    old = await made_key(acme.world.client(maker["key"]))
    new = await person.call(ROTATE, {"id": old["id"]})
    assert (new["created_by"], new["created_by_key"]) == (acme.made.user_id, None)

    await acme.live.call(REVOKE, {"id": old["id"]})
    await acme.live.call(REVOKE, {"id": maker["id"]})

    assert (await works(acme, old["key"]), await works(acme, new["key"])) == (False, True)


async def test_a_successor_ends_with_the_key_that_asked_for_it(acme: Organization) -> None:
    asking = await made_key(acme.live, scopes=["admin"])
    old = await made_key(acme.live)
    new = await acme.world.client(asking["key"]).call(ROTATE, {"id": old["id"]})
    assert new["created_by_key"] == asking["id"]

    await acme.live.call(REVOKE, {"id": asking["id"]})

    assert (await works(acme, old["key"]), await works(acme, new["key"])) == (True, False)


async def test_a_key_that_rotates_itself_retires_alone_but_is_revoked_with_its_successor(
    acme: Organization, clock: MovableClock
) -> None:
    first = await made_key(acme.live, scopes=["admin"])
    second = await acme.world.client(first["key"]).call(ROTATE, {"id": first["id"], "grace_seconds": 60})
    clock.advance(seconds=60)
    assert (await works(acme, first["key"]), await works(acme, second["key"])) == (False, True)

    await acme.live.call(REVOKE, {"id": first["id"]})

    assert await works(acme, second["key"]) is False


async def test_a_key_cannot_prolong_itself_by_rotation(acme: Organization, clock: MovableClock) -> None:
    end = stamp(clock.now() + timedelta(days=1))
    asking = await made_key(acme.live, scopes=["admin"], expires_at=end)
    endless = await made_key(acme.live)
    client = acme.world.client(asking["key"])

    assert (await client.call(ROTATE, {"id": endless["id"]}))["expires_at"] == end
    assert (await client.call(ROTATE, {"id": asking["id"]}))["expires_at"] == end


async def test_a_member_takes_along_the_successors_that_they_saw_and_no_others(
    acme: Organization, owner: psycopg.Connection
) -> None:
    leaving = acme.member("admin")
    leavers = await made_key(acme.key("admin", made_by=leaving))
    kept = await acme.live.call(ROTATE, {"id": leavers["id"]})
    mine = await made_key(acme.live)
    seen = await acme.key("admin", made_by=leaving).call(ROTATE, {"id": mine["id"]})

    remove_member(owner, acme, leaving)

    assert (await works(acme, kept["key"]), await works(acme, seen["key"])) == (True, False)
    assert (await acme.live.call(GET, {"id": kept["id"]}))["rotated_from"] is None
    assert (await acme.live.call(GET, {"id": mine["id"]}))["rotation"]["successor_id"] is None


async def test_both_sides_of_a_rotation_are_in_the_audit_log(acme: Organization) -> None:
    old = await made_key(acme.live)
    new = await acme.live.call(ROTATE, {"id": old["id"]})

    entries = (await acme.live.call("/v1/audit/list", {"per_page": 2}))["entries"]

    by_key = {entry["resource_id"]: entry for entry in entries}
    assert {entry["operation"] for entry in entries} == {"keys.rotate"}
    assert by_key[old["id"]]["after"]["successor_id"] == new["id"]
    assert (by_key[new["id"]]["before"], by_key[new["id"]]["after"]["rotated_from"]) == (None, old["id"])


async def test_a_rotated_key_may_still_be_renamed_until_it_retires(acme: Organization, clock: MovableClock) -> None:
    old = await made_key(acme.live)
    await acme.live.call(ROTATE, {"id": old["id"], "grace_seconds": 60})
    await acme.live.call(UPDATE, {"id": old["id"], "name": "ERP (antigua)"})
    clock.advance(seconds=60)

    assert (await refused(acme.live, UPDATE, {"id": old["id"], "name": "x"}))[:2] == (409, "CONFLICT")


def remove_member(database: psycopg.Connection, organization: Organization, user_id: UUID) -> None:
    database.execute("delete from members where org_id = %s and user_id = %s", (organization.id, user_id))


async def test_keys_go_by_the_true_time_though_the_sandbox_is_ahead(acme: Organization, clock: MovableClock) -> None:
    """Else a developer who tries out next month would lose the key that tries it."""
    key = await made_key(acme.sandbox, expires_at=stamp(clock.now() + timedelta(days=3)))
    await acme.sandbox.call("/v1/sandbox/advance_clock", {"seconds": 5 * 86400})
    assert await works(acme, key["key"])

    new = await acme.sandbox.call(ROTATE, {"id": key["id"], "grace_seconds": 60})
    assert new["previous"]["rotation"]["seconds_left"] == 60
    clock.advance(seconds=60)

    assert (await works(acme, key["key"]), await works(acme, new["key"])) == (False, True)
