"""Handing an organisation over, and its end."""

import asyncio

import psycopg
import pytest

from bivelio_server.accounts.provisioning import ProvisionRequest, provision
from bivelio_server.app import HANDLERS
from bivelio_server.installation import Installation
from bivelio_server.kit.context import Services
from tests.members.arranging import accepted, invited
from tests.working import working
from tests.world import PASSWORD, Organization

pytestmark = pytest.mark.anyio

TRANSFER, DELETE = "/v1/organization/transfer", "/v1/organization/delete"


def roles(owner: psycopg.Connection, organization: Organization) -> list[str]:
    rows = owner.execute("select role from members where org_id = %s order by role", (organization.id,))
    return [role for (role,) in rows]


async def test_the_owner_hands_it_over(acme: Organization) -> None:
    former, editor = acme.owner, acme.person("editor")

    moved = await former.call(TRANSFER, {"user_id": str(editor.user_id)})

    assert moved == {"owner_id": str(editor.user_id), "former_owner_id": str(former.user_id)}
    assert (await editor.call("/v1/account/get"))["role"] == "owner"
    assert (await former.call("/v1/account/get"))["role"] == "admin"
    assert (await former.post(TRANSFER, {"user_id": str(former.user_id)})).status_code == 403


async def test_only_the_owner_in_person(acme: Organization) -> None:
    editor, admin = acme.member("editor"), acme.person("admin")

    for client in (admin, acme.live, acme.person("viewer")):
        assert (await client.post(TRANSFER, {"user_id": str(editor)})).status_code == 403
        assert (await client.post(DELETE, {"confirm_name": "Acme"})).status_code == 403


async def test_there_is_one_owner_however_many_transfers_race(acme: Organization, owner: psycopg.Connection) -> None:
    former = acme.owner
    members = [acme.member("editor") for _ in range(10)]

    replies = await asyncio.gather(*(former.post(TRANSFER, {"user_id": str(member)}) for member in members))

    assert sorted(reply.status_code for reply in replies) == [200] + [403] * 9
    assert roles(owner, acme).count("owner") == 1


async def test_the_successor_is_not_removed_meanwhile(acme: Organization, owner: psycopg.Connection) -> None:
    former, admin, member = acme.owner, acme.person("admin"), acme.member("editor")

    moved, removed = await asyncio.gather(
        former.post(TRANSFER, {"user_id": str(member)}),
        admin.post("/v1/members/remove", {"user_id": str(member)}),
    )

    assert (moved.status_code, removed.status_code) in ((200, 409), (404, 200))
    assert roles(owner, acme).count("owner") == 1


async def test_it_ends_at_once(acme: Organization) -> None:
    person, key, viewer = acme.owner, acme.live, acme.person("viewer")
    invitation = await invited(acme.live)

    deleted = await person.call(DELETE, {"confirm_name": "Acme"})

    assert deleted["deleted_at"] is not None
    for client in (person, key, acme.sandbox, acme.publishable, viewer):
        assert (await client.post("/v1/contacts")).status_code == 401
    assert (await accepted(acme.world, invitation["token"], password=PASSWORD)).status_code == 401
    signed_in = await acme.world.http.post(
        "/v1/auth/token?grant_type=password", json={"email": acme.email, "password": PASSWORD}
    )
    assert signed_in.status_code == 401


async def test_its_data_stays_for_the_retention_job(acme: Organization, owner: psycopg.Connection) -> None:
    await acme.live.call("/v1/contacts/create", {"name": "María"})

    await acme.owner.call(DELETE, {"confirm_name": "Acme"})

    row = owner.execute(
        "select deleted_by, deleted_at is not null, (select count(*) from contacts c where c.org_id = o.id)"
        " from organizations o where id = %s",
        (acme.id,),
    ).fetchone()
    assert row is not None
    assert (str(row[0]), row[1], row[2]) == (acme.made.user_id, True, 1)


async def test_the_name_is_asked_for(acme: Organization) -> None:
    for name in ("acme", "", "Rival"):
        reply = await acme.owner.post(DELETE, {"confirm_name": name})

        assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (422, "confirm_name")
    assert (await acme.live.post("/v1/contacts")).status_code == 200


async def test_other_organizations_of_the_same_people_go_on(acme: Organization) -> None:
    other = await acme.owner.call("/v1/organization/create", {"name": "Otra S.L."})

    await acme.owner.call(DELETE, {"confirm_name": "Acme"})

    signed_in = await acme.world.http.post(
        "/v1/auth/token?grant_type=password", json={"email": acme.email, "password": PASSWORD}
    )
    client = acme.world.bearer(signed_in.json()["access_token"])
    assert (await client.call("/v1/organization/get"))["id"] == other["id"]


async def test_provisioning_the_name_again_makes_another(acme: Organization, installation: Installation) -> None:
    await acme.owner.call(DELETE, {"confirm_name": "Acme"})

    request = ProvisionRequest.model_validate(
        {"organization": "Acme", "plan": "pro", "email": acme.email, "password": PASSWORD}
    )
    again = provision(installation.owner_url, request)

    assert again.organization_id != acme.made.organization_id


async def test_its_runs_and_deliveries_do_nothing_more(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    await acme.live.call("/v1/webhooks/create", {"url": "http://127.0.0.1:9/hook", "events": ["contact.created"]})
    run = await acme.live.call(
        "/v1/workflows/create",
        {"name": "Alta", "steps": [{"id": "c", "uses": "contacts.create", "with": {"name": "Tarde"}}]},
    )
    await acme.live.call("/v1/workflows/execute", {"workflow_id": run["id"]})
    await acme.live.call("/v1/contacts/create", {"name": "Temprano"})

    await acme.owner.call(DELETE, {"confirm_name": "Acme"})
    async with working(services, HANDLERS):
        await finished(owner)

    names = [name for (name,) in owner.execute("select name from contacts where org_id = %s", (acme.id,))]
    due = owner.execute(
        "select count(*) from webhook_deliveries where org_id = %s and next_attempt_at is not null", (acme.id,)
    ).fetchone()
    assert names == ["Temprano"]
    assert due == (0,)


async def finished(owner: psycopg.Connection) -> None:
    """Until no task is left for now."""
    async with asyncio.timeout(20):
        while True:
            row = owner.execute("select coalesce(sum(due + running), 0) from durable.queue_figures(now())").fetchone()
            if row == (0,):
                return
            await asyncio.sleep(0.05)
