"""contacts.update."""

import asyncio
from typing import Any

import psycopg
import pytest

from tests.contacts.arranging import contact, events_of, names
from tests.world import Organization

pytestmark = pytest.mark.anyio

PATH = "/v1/contacts/update"
MARIA = {
    "email": "maria@ejemplo.com",
    "phone": "600 111 222",
    "tags": ["lead"],
    "custom_fields": {"source": "website", "interest": "plan_enterprise"},
}


@pytest.fixture
async def maria(acme: Organization) -> dict[str, Any]:
    return await contact(acme.live, "Maria Garcia", **MARIA)


async def test_changes_given_fields_only(acme: Organization, maria: dict[str, Any]) -> None:
    changed = await acme.live.call(PATH, {"id": maria["id"], "tags": ["cliente", "activo"]})

    assert changed["tags"] == ["cliente", "activo"]
    assert changed["version"] == 2
    untouched = {name for name in maria if name not in ("tags", "version", "updated_at")}
    assert {name: changed[name] for name in untouched} == {name: maria[name] for name in untouched}


async def test_custom_fields_merge_and_null_removes(acme: Organization, maria: dict[str, Any]) -> None:
    changed = await acme.live.call(PATH, {"id": maria["id"], "custom_fields": {"interest": None, "converted": True}})

    assert changed["custom_fields"] == {"source": "website", "converted": True}


@pytest.mark.parametrize("field", ["email", "phone", "company_id"])
async def test_null_clears(acme: Organization, maria: dict[str, Any], field: str) -> None:
    assert (await acme.live.call(PATH, {"id": maria["id"], field: None}))[field] is None


async def test_clearing_the_phone_clears_its_number(acme: Organization, maria: dict[str, Any]) -> None:
    changed = await acme.live.call(PATH, {"id": maria["id"], "phone": None})

    assert changed["phone_e164"] is None
    assert await names(acme.live, search="600111222") == []


@pytest.mark.parametrize("field", ["name", "tags", "custom_fields"])
async def test_what_must_be_there_cannot_be_null(acme: Organization, maria: dict[str, Any], field: str) -> None:
    reply = await acme.live.post(PATH, {"id": maria["id"], field: None})

    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == field


async def test_custom_fields_are_bounded_in_all_not_only_at_once(acme: Organization, maria: dict[str, Any]) -> None:
    half = "x" * 40_000
    await acme.live.call(PATH, {"id": maria["id"], "custom_fields": {"a": half}})

    reply = await acme.live.post(PATH, {"id": maria["id"], "custom_fields": {"b": half}})

    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == "custom_fields"


async def test_a_company_that_was_deleted_can_be_written_back(acme: Organization) -> None:
    company = await acme.live.call("/v1/contacts/create", {"type": "company", "name": "Peña S.L."})
    person = await acme.live.call("/v1/contacts/create", {"name": "Ana", "company_id": company["id"]})
    await acme.live.call("/v1/contacts/delete", {"id": company["id"]})

    updated = await acme.live.call(PATH, {"id": person["id"], "name": "Ana María", "company_id": company["id"]})

    assert (updated["name"], updated["company_id"]) == ("Ana María", company["id"])


@pytest.mark.parametrize(
    ("before", "after"), [("1", "true"), ("1.10", "1.1"), ("0", "false"), ("1", "1.0"), ("[1]", "[true]")]
)
async def test_values_that_only_look_alike_are_changes(acme: Organization, before: str, after: str) -> None:
    made = await contact(acme.live, "Maria")
    for value in (before, after):
        await raw_update(acme, made["id"], value)

    stored = await acme.live.post("/v1/contacts/get", {"id": made["id"]})

    assert f'"x":{after}' in stored.text
    assert stored.json()["data"]["version"] == 3


async def test_changing_nothing_is_no_new_version(
    acme: Organization, maria: dict[str, Any], owner: psycopg.Connection
) -> None:
    again = await acme.live.call(PATH, {"id": maria["id"], **MARIA})

    assert (again["version"], again["updated_at"]) == (1, maria["updated_at"])
    assert [event for event, _, _ in events_of(owner, acme)] == ["contact.created"]


async def test_a_stale_version_is_a_conflict(acme: Organization, maria: dict[str, Any]) -> None:
    await acme.live.call(PATH, {"id": maria["id"], "name": "Maria G.", "if_version": 1})

    reply = await acme.live.post(PATH, {"id": maria["id"], "name": "Otra", "if_version": 1})

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")
    assert (await acme.live.call("/v1/contacts/get", {"id": maria["id"]}))["name"] == "Maria G."


async def test_concurrent_updates_both_stay(acme: Organization, maria: dict[str, Any]) -> None:
    changes = [{"id": maria["id"], "custom_fields": {f"field_{number}": number}} for number in range(10)]

    await asyncio.gather(*(acme.live.call(PATH, change) for change in changes))

    stored = await acme.live.call("/v1/contacts/get", {"id": maria["id"]})
    assert {f"field_{number}": number for number in range(10)}.items() <= stored["custom_fields"].items()
    assert stored["version"] == 11


async def test_a_renamed_company_is_found_under_its_new_name(acme: Organization) -> None:
    company = await contact(acme.live, "Empresa ABC", type="company")
    await contact(acme.live, "Maria", company_id=company["id"])

    await acme.live.call(PATH, {"id": company["id"], "name": "Peña e Hijos"})

    assert await names(acme.live, search="pena hijos") == ["Maria", "Peña e Hijos"]
    assert await names(acme.live, search="abc") == []


async def test_a_contact_that_moves_is_found_under_its_new_company(acme: Organization) -> None:
    old, new = [await contact(acme.live, name, type="company") for name in ("Antigua", "Nueva")]
    maria = await contact(acme.live, "Maria", company_id=old["id"])

    await acme.live.call(PATH, {"id": maria["id"], "company_id": new["id"]})

    assert await names(acme.live, search="nueva", type="person") == ["Maria"]
    assert await names(acme.live, search="antigua", type="person") == []


async def test_people_join_a_company_while_it_is_renamed(acme: Organization) -> None:
    company = await contact(acme.live, "Nombre 0", type="company")
    people = [await contact(acme.live, f"Persona {number}") for number in range(10)]
    joins = [acme.live.call(PATH, {"id": person["id"], "company_id": company["id"]}) for person in people]
    renames = [acme.live.call(PATH, {"id": company["id"], "name": f"Nombre {number}"}) for number in range(1, 11)]

    await asyncio.gather(*(call for pair in zip(joins, renames, strict=True) for call in pair))

    final = (await acme.live.call("/v1/contacts/get", {"id": company["id"]}))["name"]
    found = await acme.live.call("/v1/contacts", {"search": final, "type": "person"})
    assert found["pagination"]["total"] == 10


async def test_nobody_is_their_own_company(acme: Organization) -> None:
    company = await contact(acme.live, "Empresa ABC", type="company")

    assert (await acme.live.post(PATH, {"id": company["id"], "company_id": company["id"]})).status_code == 422


async def test_the_company_must_be_one_that_exists(acme: Organization, maria: dict[str, Any]) -> None:
    person = await contact(acme.live, "Juan")

    replies = [
        await acme.live.post(PATH, {"id": maria["id"], "company_id": company_id})
        for company_id in ("ct_missing", person["id"])
    ]

    assert [reply.status_code for reply in replies] == [404, 422]


async def test_the_type_stays(acme: Organization, maria: dict[str, Any]) -> None:
    assert (await acme.live.post(PATH, {"id": maria["id"], "type": "company"})).status_code == 400


@pytest.mark.parametrize("contact_id", ["ct_missing", "wf_01jxxxxxxxxxxxxxxxxxxxxxxx", "", "x" * 500, "ct_' or 1=1 --"])
async def test_whatever_is_no_id_is_missing(acme: Organization, contact_id: str) -> None:
    reply = await acme.live.post(PATH, {"id": contact_id, "name": "x"})

    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")


async def test_records_the_event(acme: Organization, maria: dict[str, Any], owner: psycopg.Connection) -> None:
    await acme.live.call(PATH, {"id": maria["id"], "name": "Maria G."})

    event, _, data = events_of(owner, acme)[-1]
    assert event == "contact.updated"
    assert data == await acme.live.call("/v1/contacts/get", {"id": maria["id"]})


async def raw_update(organization: Organization, contact_id: str, value: str) -> None:
    """An update whose value is written as it stands, which a Python client would not do."""
    body = f'{{"data": {{"id": "{contact_id}", "custom_fields": {{"x": {value}}}}}}}'
    headers = {**organization.live.headers, "Content-Type": "application/json"}
    reply = await organization.live.http.post(PATH, content=body, headers=headers)
    assert reply.status_code == 200, reply.text
