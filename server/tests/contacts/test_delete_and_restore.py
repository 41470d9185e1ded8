"""contacts.get, contacts.delete and contacts.restore."""

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from tests.contacts.arranging import contact, events_of, names
from tests.world import Organization

pytestmark = pytest.mark.anyio

GET, UPDATE = "/v1/contacts/get", "/v1/contacts/update"
DELETE, RESTORE = "/v1/contacts/delete", "/v1/contacts/restore"


async def test_get_gives_every_field(acme: Organization) -> None:
    maria = await contact(acme.live, "Maria")

    got = await acme.live.call(GET, {"id": maria["id"]})

    assert got == {name: value for name, value in maria.items() if name != "possible_duplicates"}


async def test_a_deleted_contact_is_gone(acme: Organization) -> None:
    maria = await contact(acme.live, "Maria")

    deleted = await acme.live.call(DELETE, {"id": maria["id"]})

    assert deleted["deleted_at"] is not None
    assert await names(acme.live) == []
    for path in (GET, UPDATE, DELETE):
        assert (await acme.live.post(path, {"id": maria["id"]})).status_code == 404


async def test_a_restored_contact_is_back(acme: Organization, owner: psycopg.Connection) -> None:
    maria = await contact(acme.live, "Maria", email="maria@ejemplo.com", tags=["lead"])
    await acme.live.call(DELETE, {"id": maria["id"]})

    restored = await acme.live.call(RESTORE, {"id": maria["id"]})

    assert restored == await acme.live.call(GET, {"id": maria["id"]})
    assert (restored["deleted_at"], restored["email"], restored["tags"]) == (None, "maria@ejemplo.com", ["lead"])
    assert await names(acme.live, search="maria") == ["Maria"]
    assert [event for event, _, _ in events_of(owner, acme)] == ["contact.created", "contact.updated"]


async def test_restores_for_thirty_days(acme: Organization, clock: MovableClock) -> None:
    early, late = [await contact(acme.live, name) for name in ("Maria", "Juan")]
    for one in (early, late):
        await acme.live.call(DELETE, {"id": one["id"]})

    clock.advance(days=29, hours=23)
    assert (await acme.live.post(RESTORE, {"id": early["id"]})).status_code == 200
    clock.advance(hours=2)
    assert (await acme.live.post(RESTORE, {"id": late["id"]})).status_code == 404


@pytest.mark.parametrize("path", [GET, DELETE, RESTORE])
async def test_a_missing_contact(acme: Organization, path: str) -> None:
    assert (await acme.live.post(path, {"id": "ct_missing"})).status_code == 404
    assert (await acme.live.post(path, {})).status_code == 400


async def test_only_the_deleted_are_restored(acme: Organization) -> None:
    maria = await contact(acme.live, "Maria")

    assert (await acme.live.post(RESTORE, {"id": maria["id"]})).status_code == 404


async def test_a_deleted_contact_is_no_duplicate(acme: Organization) -> None:
    maria = await contact(acme.live, "Maria", email="maria@ejemplo.com")
    await acme.live.call(DELETE, {"id": maria["id"]})

    assert (await contact(acme.live, "Maria", email="maria@ejemplo.com"))["possible_duplicates"] == []


async def test_people_keep_a_company_that_is_deleted_and_restored(acme: Organization) -> None:
    company = await contact(acme.live, "Empresa ABC", type="company")
    maria = await contact(acme.live, "Maria", company_id=company["id"])

    await acme.live.call(DELETE, {"id": company["id"]})
    assert (await acme.live.call(UPDATE, {"id": maria["id"], "name": "Maria G."}))["company_id"] == company["id"]
    await acme.live.call(RESTORE, {"id": company["id"]})

    assert await names(acme.live, company_id=company["id"]) == ["Maria G."]
