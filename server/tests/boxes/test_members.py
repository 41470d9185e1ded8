"""Members of a box: who lets whom in, and how nothing is lost with a person."""

from collections.abc import Mapping

import pytest

from bivelio_server.app import FEATURES
from bivelio_server.kit.operations import DIRECT_DOORS, Catalogue
from tests.boxes.arranging import a_box, add, files, share
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


async def members(client: Client, box_id: str) -> Mapping[str, str]:
    """Role by address."""
    found = await client.call("/v1/boxes/members/list", {"box_id": box_id})
    return {member["email"]: member["role"] for member in found["members"]}


async def remove(client: Client, box_id: str, email: str) -> None:
    await client.call("/v1/boxes/members/remove", {"box_id": box_id, "email": email})


async def test_a_member_sees_the_box_until_they_are_removed(acme: Organization) -> None:
    ana, box = acme.person("viewer"), await a_box(acme.live)
    await add(acme.live, box)

    await share(acme.live, box, ana.email.upper(), "viewer")
    seen = await files(ana, box)
    await remove(acme.live, box, ana.email)

    assert len(seen) == 1
    assert (await ana.post("/v1/boxes/files/list", {"box_id": box})).status_code == 404


async def test_a_role_is_given_anew(acme: Organization) -> None:
    ana, box = acme.person("editor"), await a_box(acme.live)
    await share(acme.live, box, ana.email, "viewer")

    changed = await share(acme.live, box, ana.email, "editor")

    assert (changed["role"], changed["user_id"]) == ("editor", str(ana.user_id))
    assert await members(ana, box) == {acme.email: "owner", ana.email: "editor"}


async def test_only_a_member_of_the_organisation_can_be_let_in(acme: Organization, rival: Organization) -> None:
    box = await a_box(acme.live)

    replies = [
        await acme.live.post("/v1/boxes/members/set", {"box_id": box, "email": email, "role": "viewer"})
        for email in (rival.email, "nadie@ejemplo.com")
    ]

    assert [reply.status_code for reply in replies] == [404, 404]
    assert replies[0].json() == replies[1].json()
    assert replies[0].json()["error"]["details"] == {"field": "email"}


@pytest.mark.parametrize("role", ["viewer", "editor"])
async def test_viewers_and_editors_let_nobody_in(acme: Organization, role: str) -> None:
    ana, box = acme.person("admin"), await a_box(acme.live)
    await share(acme.live, box, ana.email, role)

    reply = await ana.post(
        "/v1/boxes/members/set", {"box_id": box, "email": acme.person("viewer").email, "role": "viewer"}
    )

    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "AUTH_INSUFFICIENT_SCOPE")


async def test_only_owners_make_and_unmake_owners(acme: Organization) -> None:
    admin, other, box = acme.person("editor"), acme.person("editor"), await a_box(acme.live)
    await share(acme.live, box, admin.email, "admin")
    await share(acme.live, box, other.email, "owner")

    making = await admin.post("/v1/boxes/members/set", {"box_id": box, "email": admin.email, "role": "owner"})
    unmaking = await admin.post("/v1/boxes/members/set", {"box_id": box, "email": other.email, "role": "viewer"})
    removing = await admin.post("/v1/boxes/members/remove", {"box_id": box, "email": other.email})
    await remove(acme.live, box, other.email)

    assert [making.status_code, unmaking.status_code, removing.status_code] == [403, 403, 403]
    assert await members(admin, box) == {acme.email: "owner", admin.email: "admin"}


async def test_the_last_owner_stays_one(acme: Organization) -> None:
    ana = acme.person("editor")
    box = await a_box(ana)
    await share(ana, box, acme.person("viewer").email, "admin")

    replies = [
        await ana.post("/v1/boxes/members/set", {"box_id": box, "email": ana.email, "role": "admin"}),
        await ana.post("/v1/boxes/members/remove", {"box_id": box, "email": ana.email}),
        await ana.post("/v1/boxes/members/leave", {"box_id": box}),
    ]

    assert [reply.status_code for reply in replies] == [409, 409, 409]
    assert (await members(ana, box))[ana.email] == "owner"


async def test_a_viewer_leaves_by_themselves(acme: Organization) -> None:
    ana, box = acme.person("viewer"), await a_box(acme.live)
    await share(acme.live, box, ana.email, "viewer")

    await ana.call("/v1/boxes/members/leave", {"box_id": box})

    assert await members(acme.live, box) == {acme.email: "owner"}


async def test_a_box_whose_owner_has_left_is_handed_on_by_the_organisations_owner(acme: Organization) -> None:
    ana, eva = acme.person("editor"), acme.person("editor")
    box = await a_box(ana, "De Ana")
    await add(ana, box)

    await acme.owner.call("/v1/members/remove", {"user_id": str(ana.user_id)})
    left = await members(acme.owner, box)
    await share(acme.owner, box, eva.email, "owner")

    assert left == {}
    assert len(await files(eva, box)) == 1
    assert (await acme.owner.post("/v1/boxes/files/list", {"box_id": box})).status_code == 404


async def test_an_organisations_admin_hands_on_nothing(acme: Organization) -> None:
    box, admin = await a_box(acme.person("editor")), acme.person("admin")

    reply = await admin.post("/v1/boxes/members/set", {"box_id": box, "email": admin.email, "role": "owner"})
    by_key = await acme.live.post("/v1/boxes/members/set", {"box_id": box, "email": acme.email, "role": "owner"})

    assert (reply.status_code, by_key.status_code) == (404, 404)


async def test_the_audit_log_says_who_let_whom_in(acme: Organization) -> None:
    ana, box = acme.person("viewer"), await a_box(acme.live)

    await share(acme.owner, box, ana.email, "viewer")

    log = await acme.live.call("/v1/audit/list", {"resource_id": box})
    entry = log["entries"][0]
    assert (entry["operation"], entry["actor"]) == ("boxes.set_member", f"user:{acme.owner_id}")
    assert entry["before"]["members"] == {str(ana.user_id): None}
    assert entry["after"]["members"] == {str(ana.user_id): "viewer"}


def test_no_automation_lets_people_in() -> None:
    doors = {
        operation.name: operation.doors for operation in Catalogue(FEATURES) if "/boxes/members/" in operation.path
    }

    assert len(doors) == 4
    assert set(doors.values()) == {DIRECT_DOORS}
