"""Members: roles that hold at once, and who may change whom."""

import asyncio
import time
from uuid import UUID

import psycopg
import pytest

from tests.members.arranging import joined
from tests.world import Organization

pytestmark = pytest.mark.anyio

LIST, UPDATE, REMOVE = "/v1/members/list", "/v1/members/update", "/v1/members/remove"
CONTACTS, CREATE = "/v1/contacts", "/v1/contacts/create"


async def test_lists_people_with_their_roles(acme: Organization) -> None:
    await joined(acme, "viewer")

    page = await acme.live.call(LIST)

    assert [(member["role"], member["second_factor"]) for member in page["members"]] == [
        ("viewer", False), ("owner", False),
    ]  # fmt: skip
    assert page["members"][1]["email"] == acme.email
    assert page["pagination"]["total"] == 2


async def test_a_new_role_holds_from_the_next_call(acme: Organization) -> None:
    editor = acme.person("editor")
    assert (await editor.post(CREATE, {"name": "x"})).status_code == 200

    await acme.live.call(UPDATE, {"user_id": str(editor.user_id), "role": "viewer"})

    assert (await editor.post(CREATE, {"name": "x"})).status_code == 403
    assert (await editor.post(CONTACTS)).status_code == 200


async def test_also_for_the_keys_they_made(acme: Organization) -> None:
    admin = acme.person("admin")
    key = await admin.call("/v1/keys/create", {"name": "ERP", "scopes": ["write"]})

    await acme.live.call(UPDATE, {"user_id": str(admin.user_id), "role": "viewer"})

    assert (await acme.world.client(key["key"]).post(CREATE, {"name": "x"})).status_code == 403


async def test_who_is_removed_is_out_within_a_second(acme: Organization) -> None:
    admin = acme.person("admin")
    key = await admin.call("/v1/keys/create", {"name": "ERP", "scopes": ["read"]})
    signed_in = await sign_in(acme, admin.email)

    started = time.monotonic()
    await acme.live.call(REMOVE, {"user_id": str(admin.user_id)})
    statuses = [
        (await client.post(CONTACTS)).status_code
        for client in (admin, acme.world.client(key["key"]), acme.world.bearer(signed_in["access_token"]))
    ]

    assert statuses == [401, 401, 401]
    assert time.monotonic() - started < 1
    refreshed = await acme.world.http.post(
        "/v1/auth/token?grant_type=refresh_token", json={"refresh_token": signed_in["refresh_token"]}
    )
    assert refreshed.status_code == 401


async def test_who_made_the_successor_of_another_s_key_can_go(acme: Organization, owner: psycopg.Connection) -> None:
    admin = acme.person("admin")
    key = await admin.call("/v1/keys/create", {"name": "ERP", "scopes": ["read"]})
    owner.execute(
        "update api_keys set successor_id = %s where org_id = %s and created_by = %s",
        (key["id"], acme.id, acme.made.user_id),
    )

    await acme.live.call(REMOVE, {"user_id": str(admin.user_id)})

    assert (await acme.live.post(CONTACTS)).status_code == 200


async def test_old_sessions_stay_ended_when_they_come_back(acme: Organization, owner: psycopg.Connection) -> None:
    editor = acme.person("editor")
    await acme.live.call(REMOVE, {"user_id": str(editor.user_id)})

    owner.execute("insert into members values (%s, %s, 'editor', now())", (acme.id, editor.user_id))

    assert (await editor.post(CONTACTS)).status_code == 401
    assert (await acme.signed_in(editor.user_id).post(CONTACTS)).status_code == 200


async def test_their_other_organizations_stay(
    acme: Organization, rival: Organization, owner: psycopg.Connection
) -> None:
    editor = acme.person("editor")
    owner.execute("insert into members values (%s, %s, 'editor', now())", (rival.id, editor.user_id))
    elsewhere = rival.signed_in(editor.user_id)

    await acme.live.call(REMOVE, {"user_id": str(editor.user_id)})

    assert (await elsewhere.post(CONTACTS)).status_code == 200


@pytest.mark.parametrize("path", [UPDATE, REMOVE])
async def test_the_owner_stays_the_owner(acme: Organization, path: str) -> None:
    data = {"user_id": acme.made.user_id, **({"role": "admin"} if path == UPDATE else {})}

    for client in (acme.owner, acme.person("admin"), acme.live):
        reply = await client.post(path, data)

        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")


async def test_nobody_makes_an_owner(acme: Organization) -> None:
    editor = acme.member("editor")

    for path, data in (
        (UPDATE, {"user_id": str(editor), "role": "owner"}),
        ("/v1/members/invite", {"email": "o@example.com", "role": "owner"}),
    ):
        reply = await acme.owner.post(path, data)

        assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "role")


@pytest.mark.parametrize("scope", ["members:admin"])
@pytest.mark.parametrize(("role", "status"), [("viewer", 200), ("editor", 403), ("admin", 403)])
async def test_a_narrow_key_gives_no_more_than_it_has(acme: Organization, scope: str, role: str, status: int) -> None:
    key = acme.key(scope)

    invited = await key.post("/v1/members/invite", {"email": f"{role}@example.com", "role": role})
    changed = await key.post(UPDATE, {"user_id": str(acme.member("viewer")), "role": role})
    removed = await key.post(REMOVE, {"user_id": str(acme.member(role))})

    assert (invited.status_code, changed.status_code, removed.status_code) == (status, status, status)


async def test_a_person_leaves(acme: Organization) -> None:
    viewer = acme.person("viewer")

    left = await viewer.call("/v1/account/leave_organization")

    assert left == {"organization_id": str(acme.id)}
    assert (await viewer.post(CONTACTS)).status_code == 401


async def test_the_owner_cannot_leave(acme: Organization) -> None:
    reply = await acme.owner.post("/v1/account/leave_organization")

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")


async def test_admins_who_remove_each_other_leave_one(acme: Organization) -> None:
    admins = [acme.person("admin") for _ in range(2)]

    replies = await asyncio.gather(
        *(
            one.post(REMOVE, {"user_id": str(other.user_id)})
            for one, other in zip(admins, reversed(admins), strict=True)
        )
    )

    assert sorted(reply.status_code for reply in replies) in ([200, 401], [200, 403])
    assert sum(member["role"] == "admin" for member in (await acme.live.call(LIST))["members"]) == 1


async def test_what_changed_is_in_the_audit_log(acme: Organization, owner: psycopg.Connection) -> None:
    editor = acme.member("editor")

    await acme.owner.call(UPDATE, {"user_id": str(editor), "role": "viewer"})
    await acme.owner.call(REMOVE, {"user_id": str(editor)})

    rows = owner.execute(
        "select operation, before ->> 'role', after ->> 'role' from audit_log"
        " where org_id = %s and resource_type = 'members' and resource_id = %s order by at, id",
        (acme.id, str(editor)),
    ).fetchall()
    assert rows == [("members.update", "editor", "viewer"), ("members.remove", "viewer", None)]


async def sign_in(acme: Organization, email: str) -> dict[str, str]:
    reply = await acme.world.http.post(
        "/v1/auth/token?grant_type=password", json={"email": email, "password": "correct horse battery staple"}
    )
    assert reply.status_code == 200, reply.text
    tokens: dict[str, str] = reply.json()
    assert UUID(reply.json()["user"]["id"])
    return tokens
