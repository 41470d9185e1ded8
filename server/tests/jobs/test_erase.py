"""contacts.erase: a person is nowhere any more, and nobody else is touched."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

import psycopg
import pytest
from psycopg import sql

from bivelio_server.app import HANDLERS, LANES
from bivelio_server.contacts import erasing
from bivelio_server.kit.context import Services
from bivelio_server.kit.storage import StorageKey
from bivelio_server.storage.collecting import collect
from tests.contacts.arranging import contact
from tests.jobs.arranging import Json, contacts, done, imported, started
from tests.members.arranging import accepted, fresh_email, invited
from tests.permissions.tables import key_columns, table_names
from tests.storage.arranging import files_of
from tests.workflows.arranging import instance, run, until, workflow
from tests.working import working
from tests.world import PASSWORD, Client, Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

NAME: Final = "Canaria Inconfundible Ruiz"
FORMER_NAME: Final = "Canaria Antigua Ruiz"
EMAIL: Final = "Canaria.Ruiz@ejemplo-canario.es"
PHONE: Final = "677 88 99 11"
SECRET: Final = "DNI-de-la-canaria-00000000T"
CANARIES: Final = (NAME, FORMER_NAME, EMAIL, PHONE, "677889911", SECRET)
#: Columns that may still hold a canary, each with the reason.
KEPT: Final = {"invitations.email": "an invited colleague is no contact"}


@pytest.fixture
async def worker(services: Services) -> AsyncIterator[None]:
    """One that delivers webhooks too."""
    async with working(services, HANDLERS, LANES):
        yield


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    """The address of a server that answers with what it was sent."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(re.findall(rb"(?i)content-length: (\d+)", head)[0]))
        writer.write(b"HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    server.close()


@pytest.fixture
async def person(acme: Organization, echo: str, owner: psycopg.Connection) -> Json:
    """Seeded into every feature that keeps anything of a contact."""
    await acme.live.call("/v1/webhooks/create", {"url": echo, "events": ["contact.created", "contact.updated"]})
    person = await contact(
        acme.live, FORMER_NAME, email=EMAIL, phone=PHONE, tags=["vip"], custom_fields={"dni": SECRET, "age": 44}
    )
    await acme.live.call("/v1/contacts/update", {"id": person["id"], "name": NAME})
    await _workflows(acme.live, person)
    await _replies(acme.live, person)
    await invited(acme.live, email=EMAIL)
    await imported(acme.live, "name,email,phone,custom_fields.dni", f"{NAME},{EMAIL},{PHONE},{SECRET}", f"{NAME},no,,")
    for format_ in ("csv", "json"):
        await done(acme.live, "/v1/contacts/export", {"format": format_})
    await started(acme.live, "/v1/contacts/export", {"search": EMAIL})
    await acme.live.call("/v1/contacts/delete", {"id": person["id"]})
    await acme.live.call("/v1/contacts/restore", {"id": person["id"]})

    async def delivered() -> bool:
        return "webhook_attempts.response_body" in hits(owner, acme)

    await until(delivered)
    return person


async def test_nothing_of_the_person_is_left(acme: Organization, person: Json, owner: psycopg.Connection) -> None:
    seeded = {column.partition(".")[0] for column in hits(owner, acme)}
    assert seeded >= {
        "contacts", "events", "audit_log", "workflow_steps", "workflow_instances", "idempotency_keys",
        "job_file_pieces", "webhook_attempts",
    }  # fmt: skip

    found = await done(acme.live, "/v1/contacts/erase", {"id": person["id"]})

    assert {column for column in hits(owner, acme) if column not in KEPT} == set()
    assert found["result"]["rows"] == found["counts"]["rows"] > 10
    assert (await acme.live.post("/v1/contacts/get", {"id": person["id"]})).status_code == 404
    assert (await acme.live.post("/v1/contacts/history", {"id": person["id"]})).status_code == 404


async def test_however_small_the_batches(
    acme: Organization, person: Json, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row is looked at, in whatever key it is the second."""
    monkeypatch.setattr(erasing, "BATCH", 1)
    for number in range(3):
        headers = {**acme.live.headers, "Idempotency-Key": f"canary-{number}"}
        data = {"data": {"id": person["id"], "tags": [f"t{number}"]}}
        await acme.live.http.post("/v1/contacts/update", json=data, headers=headers)

    await done(acme.live, "/v1/contacts/erase", {"id": person["id"]})

    assert {column for column in hits(owner, acme) if column not in KEPT} == set()


async def test_nobody_else_is_touched(acme: Organization, rival: Organization, owner: psycopg.Connection) -> None:
    """Not even who shares a number, nor the same person in another environment or organisation."""
    person = await contact(acme.live, NAME, email=EMAIL, phone=PHONE)
    colleague = await contact(acme.live, "Colega", phone=PHONE, custom_fields={"note": f"works with {EMAIL}"})
    elsewhere = [await contact(client, NAME, email=EMAIL, phone=PHONE) for client in (acme.sandbox, rival.live)]

    await done(acme.live, "/v1/contacts/erase", {"id": person["id"]})

    assert await acme.live.call("/v1/contacts/get", {"id": colleague["id"]}) == {
        name: value for name, value in colleague.items() if name != "possible_duplicates"
    }
    history = await acme.live.call("/v1/contacts/history", {"id": colleague["id"]})
    assert {change["field"]: change["after"] for change in history["entries"][0]["changes"]}["phone"] == PHONE
    [created] = owner.execute(
        "select data from events where org_id = %s and data ->> 'id' = %s", (acme.id, colleague["id"])
    )
    assert created[0]["phone"] == PHONE
    for client, same in zip((acme.sandbox, rival.live), elsewhere, strict=True):
        assert (await client.call("/v1/contacts/get", {"id": same["id"]}))["email"] == same["email"]


async def test_an_invited_colleague_joins_all_the_same(acme: Organization) -> None:
    email = fresh_email()
    person = await contact(acme.live, NAME, email=email)
    invitation = await invited(acme.live, email=email)

    await done(acme.live, "/v1/contacts/erase", {"id": person["id"]})

    [listed] = (await acme.live.call("/v1/members/list_invitations", {}))["invitations"]
    assert (listed["email"], listed["status"]) == (email, "pending")
    reply = await accepted(acme.world, invitation["token"], password=PASSWORD)
    assert reply.status_code == 200, reply.text
    account = await acme.world.bearer(reply.json()["access_token"]).call("/v1/account/get")
    assert account["email"] == email


async def test_the_people_of_an_erased_company_live_on(acme: Organization) -> None:
    company = await contact(acme.live, "Empresa ABC", type="company", email="abc@ejemplo.com")
    maria = await contact(acme.live, "Maria", company_id=company["id"])

    await done(acme.live, "/v1/contacts/erase", {"id": company["id"]})

    [now] = await contacts(acme.live)
    assert (now["id"], now["company_id"], now["version"]) == (maria["id"], None, 2)
    assert await contacts(acme.live, search="empresa abc") == []


async def test_a_deleted_person_can_be_erased_too(acme: Organization) -> None:
    person = await contact(acme.live, NAME, email=EMAIL)
    await acme.live.call("/v1/contacts/delete", {"id": person["id"]})

    found = await done(acme.live, "/v1/contacts/erase", {"id": person["id"]})

    assert found["result"]["contact_id"] == person["id"]
    assert (await acme.live.post("/v1/contacts/restore", {"id": person["id"]})).status_code == 404


def hits(database: psycopg.Connection, organization: Organization) -> set[str]:
    """`table.column` of every text, JSON or bytes in which a canary of this organisation can still be read."""
    pattern = "|".join(re.escape(canary.lower()) for canary in CANARIES)
    found = set()
    for table in table_names(database):
        if "org_id" not in key_columns(database, table):
            continue
        columns = database.execute(
            "select attname, atttypid = 'bytea'::regtype from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped"
            " and atttypid in ('text'::regtype, 'jsonb'::regtype, 'bytea'::regtype, 'text[]'::regtype)",
            (table,),
        ).fetchall()
        for column, is_bytes in columns:
            value = sql.SQL("encode({}, 'escape')" if is_bytes else "{}::text").format(sql.Identifier(column))
            query = sql.SQL("select 1 from {} where org_id = %s and lower({}) ~ %s limit 1").format(
                sql.Identifier(table), value
            )
            if database.execute(query, (organization.id, pattern)).fetchone():
                found.add(f"{table}.{column}")
    return found


async def _workflows(client: Client, person: Json) -> None:
    """Runs with the person in input, output and error."""
    steps: list[Json] = [
        {"id": "made", "uses": "contacts.update", "with": {"id": "{{ input.id }}", "tags": ["cliente"]}},
        {"id": "text", "set": {"text": "Hola {{ input.name }} ({{ input.email }})"}},
    ]
    made = await workflow(client, *steps)
    await run(client, made, id=person["id"], name=NAME, email=EMAIL, phone=PHONE, dni=SECRET)
    refused = {"name": "{{ input.name }}", "email": "{{ input.email }}", "phone": "{{ input.name }}"}
    broken = await workflow(client, {"id": "made", "uses": "contacts.create", "with": refused})
    await run(client, broken, name=NAME, email=EMAIL)


async def _replies(client: Client, person: Json) -> None:
    """A stored reply to a write, and one to a refusal."""
    headers = {**client.headers, "Idempotency-Key": "canary"}
    for path, data in (
        ("update", {"id": person["id"], "tags": ["b"]}),
        ("create", {"name": NAME, "company_id": EMAIL}),
    ):
        await client.http.post(f"/v1/contacts/{path}", json={"data": data}, headers=headers)


async def test_nothing_is_left_in_the_stored_files_of_runs(acme: Organization, services: Services) -> None:
    """They are others afterwards, and what else they held is in them."""
    person = await contact(acme.live, NAME, email=EMAIL, phone=PHONE)
    filler = "x" * 40_000
    made = await workflow(acme.live, {"id": "kept", "set": {
        "text": "{{ input.text }}", "contacts": [{"id": person["id"], "name": NAME, "email": EMAIL}]}})  # fmt: skip
    ran = await run(acme.live, made, text=filler)
    assert EMAIL in str(ran)

    found = await done(acme.live, "/v1/contacts/erase", {"id": person["id"]})
    await collect(services)

    after = await instance(acme.live, ran)
    contents = [await services.storage.get(StorageKey(key)) for key in await files_of(services, acme)]
    assert found["counts"]["files"] == 1
    assert after["output"]["text"] == filler
    assert after["output"]["contacts"] == [{"id": person["id"], "name": "[borrado]", "email": "[borrado]"}]
    assert [canary for canary in CANARIES if any(canary.encode() in content for content in contents)] == []
    assert len(contents) == 2
