"""contacts.create."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from bivelio_server.kit import json
from tests.contacts.arranging import events_of
from tests.world import Organization

pytestmark = pytest.mark.anyio

PATH = "/v1/contacts/create"
MARIA = {
    "type": "person",
    "name": "Maria Garcia",
    "email": "maria@ejemplo.com",
    "phone": "+34 600 111 222",
    "tags": ["lead", "inbound"],
    "custom_fields": {"source": "website", "interest": "plan_enterprise"},
}


async def test_keeps_all_that_is_given(acme: Organization) -> None:
    contact = await acme.live.call(PATH, MARIA)

    assert {name: contact[name] for name in MARIA} == MARIA
    assert contact["id"].startswith("ct_")
    assert (contact["company_id"], contact["deleted_at"], contact["version"]) == (None, None, 1)
    assert contact["created_at"] == contact["updated_at"]
    assert contact["possible_duplicates"] == []


async def test_a_name_is_enough(acme: Organization) -> None:
    contact = await acme.live.call(PATH, {"name": "Maria Garcia"})

    assert (contact["type"], contact["email"], contact["phone"]) == ("person", None, None)
    assert (contact["tags"], contact["custom_fields"]) == ([], {})


async def test_keeps_the_phone_as_given_and_normalised(acme: Organization) -> None:
    contact = await acme.live.call(PATH, {"name": "Maria Garcia", "phone": "600 111 222"})

    assert contact["phone"] == "600 111 222"
    assert contact["phone_e164"] == "+34600111222"


@pytest.mark.parametrize(
    ("phone", "e164"),
    [("+34 612 345 678", "+34612345678"), ("(93) 412-34-56", "+34934123456"), ("0044 20 7946 0958", "+442079460958")],
)
async def test_phones_become_e164(acme: Organization, phone: str, e164: str) -> None:
    assert (await acme.live.call(PATH, {"name": "Maria", "phone": phone}))["phone_e164"] == e164


@pytest.mark.parametrize(
    ("data", "field", "constraint"),
    [
        ({}, "name", "required"),
        ({"name": " "}, "name", "min_length"),
        ({"name": "x" * 201}, "name", "max_length"),
        ({"name": "x", "type": "robot"}, "type", "one_of"),
        ({"name": "x", "email": "maria"}, "email", "email"),
        ({"name": "x", "email": "maria@"}, "email", "email"),
        ({"name": "x", "email": "maria garcia@ejemplo.com"}, "email", "email"),
        ({"name": "x", "email": "a@b.c\r\nBcc: d@e.f"}, "email", "email"),
        ({"name": "x", "phone": "llámame"}, "phone", "phone"),
        ({"name": "x", "phone": "+34 6"}, "phone", "phone"),
        ({"name": "x", "tags": ["a"] * 51}, "tags", "max_items"),
        ({"name": "x", "tags": [""]}, "tags[0]", "min_length"),
        ({"name": "x", "custom_fields": None}, "custom_fields", "object"),
        ({"name": "x", "custom_fields": {"k": "v" * 70_000}}, "custom_fields", "max_length"),
        ({"name": "x", "id": "ct_1"}, "id", "unknown_field"),
    ],
)
async def test_refuses(acme: Organization, data: dict[str, Any], field: str, constraint: str) -> None:
    reply = await acme.live.post(PATH, data)

    assert reply.status_code == 400
    error = reply.json()["error"]
    assert (error["code"], error["details"]["field"], error["details"]["constraint"]) == (
        "VALIDATION_ERROR", field, constraint,
    )  # fmt: skip
    assert (await acme.live.call("/v1/contacts"))["contacts"] == []


@pytest.mark.parametrize(
    "email", ["maria@ejemplo.com", "o'brien+tag@sub.ejemplo.co.uk", "josé@peña.es", "root@intranet.local"]
)
async def test_takes_every_real_address(acme: Organization, email: str) -> None:
    assert (await acme.live.call(PATH, {"name": "x", "email": email}))["email"] == email


async def test_the_company_must_exist(acme: Organization) -> None:
    reply = await acme.live.post(PATH, {"name": "Maria", "company_id": "ct_01jxxxxxxxxxxxxxxxxxxxxxxx"})

    assert reply.status_code == 404
    assert reply.json()["error"]["details"] == {"field": "company_id"}


async def test_the_company_must_be_one(acme: Organization) -> None:
    person = await acme.live.call(PATH, {"name": "Juan"})

    reply = await acme.live.post(PATH, {"name": "Maria", "company_id": person["id"]})

    assert reply.status_code == 422
    assert reply.json()["error"]["details"]["field"] == "company_id"


async def test_a_deleted_company_is_a_missing_one(acme: Organization) -> None:
    company = await acme.live.call(PATH, {"type": "company", "name": "Empresa ABC"})
    await acme.live.call("/v1/contacts/delete", {"id": company["id"]})

    assert (await acme.live.post(PATH, {"name": "Maria", "company_id": company["id"]})).status_code == 404


async def test_reports_duplicates_and_does_not_refuse_them(acme: Organization) -> None:
    same_email = await acme.live.call(PATH, {"name": "Maria", "email": "MARIA@ejemplo.com"})
    same_phone = await acme.live.call(PATH, {"name": "Garcia", "phone": "600111222"})
    await acme.live.call(PATH, {"name": "Maria Garcia"})

    contact = await acme.live.call(PATH, MARIA)

    assert contact["possible_duplicates"] == [
        {"id": same_email["id"], "name": "Maria", "matches": ["email"]},
        {"id": same_phone["id"], "name": "Garcia", "matches": ["phone"]},
    ]


async def test_duplicates_of_other_organizations_and_environments_stay_unknown(
    acme: Organization, rival: Organization
) -> None:
    await rival.live.call(PATH, MARIA)
    await acme.sandbox.call(PATH, MARIA)

    assert (await acme.live.call(PATH, MARIA))["possible_duplicates"] == []


@pytest.mark.parametrize(
    "text", ["1.10", "0.1", "100.00", "-0.30", "12345678901234567890.0123456789", "123456789012345678901234567890"]
)
async def test_numbers_of_custom_fields_come_back_exactly(acme: Organization, text: str) -> None:
    body = b'{"data": {"name": "x", "custom_fields": {"amount": %s}}}' % text.encode()

    made = await acme.live.http.post(
        PATH, content=body, headers={**acme.live.headers, "Content-Type": "application/json"}
    )
    got = await acme.live.post("/v1/contacts/get", {"id": made.json()["data"]["id"]})

    for reply in (made, got):
        assert f'"amount":{text}' in reply.text
        assert json.loads(reply.content)["data"]["custom_fields"]["amount"] == Decimal(text)


async def test_nulls_among_custom_fields_are_left_out(acme: Organization) -> None:
    contact = await acme.live.call(PATH, {"name": "x", "custom_fields": {"a": None, "b": 1}})

    assert contact["custom_fields"] == {"b": 1}


async def test_repeated_tags_count_once(acme: Organization) -> None:
    assert (await acme.live.call(PATH, {"name": "x", "tags": ["b", "a", "b"]}))["tags"] == ["b", "a"]


async def test_records_the_event(acme: Organization, owner: psycopg.Connection) -> None:
    contact = await acme.live.call(PATH, MARIA)

    [(event, environment, data)] = events_of(owner, acme)
    assert (event, environment) == ("contact.created", "live")
    assert data == await acme.live.call("/v1/contacts/get", {"id": contact["id"]})


async def test_no_event_without_its_contact(acme: Organization, owner: psycopg.Connection) -> None:
    await acme.live.post(PATH, {"name": "Maria", "company_id": "ct_missing"})

    assert events_of(owner, acme) == []
