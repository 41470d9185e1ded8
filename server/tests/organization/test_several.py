"""One person, several organisations."""

import asyncio
from uuid import uuid4

import httpx2
import psycopg
import pytest

from tests.world import PASSWORD, Organization, World

pytestmark = pytest.mark.anyio

CREATE, LIST, SWITCH = "/v1/organization/create", "/v1/organization/list", "/v1/organization/switch"


async def sign_in(world: World, email: str, **grant: str) -> httpx2.Response:
    return await world.http.post(
        "/v1/auth/token?grant_type=password", json={"email": email, "password": PASSWORD, **grant}
    )


async def test_a_viewer_makes_one_of_their_own(acme: Organization) -> None:
    viewer = acme.person("viewer")

    made = await viewer.call(CREATE, {"name": "Mía S.L."})

    assert (made["name"], made["plan"], made["role"], made["current"]) == ("Mía S.L.", "starter", "owner", False)
    listed = (await viewer.call(LIST))["organizations"]
    assert [(found["name"], found["role"], found["current"]) for found in listed] == [
        ("Acme", "viewer", True), ("Mía S.L.", "owner", False),
    ]  # fmt: skip


async def test_nobody_owns_them_without_end(acme: Organization, owner: psycopg.Connection) -> None:
    owner.execute(
        "select create_organization(gen_random_uuid(), 'x', %s, now()) from generate_series(1, 49)", (acme.owner_id,)
    )

    reply = await acme.owner.post(CREATE, {"name": "Una más"})

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")


async def test_nor_by_asking_for_several_at_once(acme: Organization, owner: psycopg.Connection) -> None:
    person = acme.owner
    owner.execute(
        "select create_organization(gen_random_uuid(), 'x', %s, now()) from generate_series(1, 48)", (person.user_id,)
    )

    replies = await asyncio.gather(*(person.post(CREATE, {"name": "Una más"}) for _ in range(4)))

    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]


async def test_nor_by_being_handed_them(acme: Organization, owner: psycopg.Connection) -> None:
    rich = acme.member("admin")
    owner.execute("select create_organization(gen_random_uuid(), 'x', %s, now()) from generate_series(1, 50)", (rich,))

    reply = await acme.owner.post("/v1/organization/transfer", {"user_id": str(rich)})

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (409, "user_id")
    assert acme.owner_id != rich


async def test_switching_opens_a_session_there(acme: Organization) -> None:
    viewer = acme.person("viewer")
    made = await viewer.call(CREATE, {"name": "Mía S.L."})

    switched = await viewer.call(SWITCH, {"organization_id": made["id"]})

    there = acme.world.bearer(switched["access_token"])
    assert switched["organization_id"] == made["id"]
    assert (await there.call("/v1/organization/get"))["name"] == "Mía S.L."
    assert (await there.post("/v1/contacts/create", {"name": "x"})).status_code == 200
    assert (await viewer.call("/v1/contacts"))["contacts"] == []
    refreshed = await acme.world.http.post(
        "/v1/auth/token?grant_type=refresh_token", json={"refresh_token": switched["refresh_token"]}
    )
    assert refreshed.status_code == 200


async def test_sign_in_chooses(acme: Organization) -> None:
    made = await acme.owner.call(CREATE, {"name": "Otra S.L."})

    first, chosen = (
        await sign_in(acme.world, acme.email),
        await sign_in(acme.world, acme.email, organization_id=made["id"]),
    )

    names = [
        (await acme.world.bearer(reply.json()["access_token"]).call("/v1/organization/get"))["name"]
        for reply in (first, chosen)
    ]
    assert names == ["Acme", "Otra S.L."]


@pytest.mark.parametrize("chosen", ["rival", "absent", "malformed"])
async def test_another_s_is_a_missing_one(acme: Organization, rival: Organization, chosen: str) -> None:
    org_id = {"rival": str(rival.id), "absent": str(uuid4()), "malformed": "x"}[chosen]

    switched = await acme.owner.post(SWITCH, {"organization_id": org_id})
    signed_in = await sign_in(acme.world, acme.email, organization_id=org_id)

    for reply in (switched, signed_in):
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")


async def test_a_wrong_password_says_nothing_of_organizations(acme: Organization, rival: Organization) -> None:
    reply = await acme.world.http.post(
        "/v1/auth/token?grant_type=password",
        json={"email": acme.email, "password": "wrong", "organization_id": str(rival.id)},
    )

    assert reply.status_code == 401


async def test_a_key_is_of_one_organization(acme: Organization) -> None:
    for path, data in ((CREATE, {"name": "x"}), (LIST, {}), (SWITCH, {"organization_id": str(acme.id)})):
        assert (await acme.live.post(path, data)).status_code == 403


async def test_with_an_api_key_the_two_must_agree(acme: Organization) -> None:
    made = await acme.owner.call(CREATE, {"name": "Otra S.L."})

    reply = await acme.world.http.post(
        "/v1/auth/token?grant_type=password",
        json={"email": acme.email, "password": PASSWORD, "organization_id": made["id"]},
        headers={"apikey": acme.made.keys.live_publishable},
    )

    assert reply.status_code == 404
