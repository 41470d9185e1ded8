"""contacts.list and contacts.create over HTTP, beside the bare SQL on the same database and driver."""

import asyncio
import itertools
import json
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from load import Load, drive, percentile, request
from place import Place, spent

from bivelio_server.installation import Installation
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.text import fold

CONTACTS = 10_000
CONNECTIONS = 8
SECONDS = 6.0
FILTER = {"search": "empresa garcía", "type": "person", "tags": ["cliente", "activo"], "page": 1, "per_page": 25}
BARE_LIST = """
    with hits as materialized (
        select * from contacts
         where org_id = %s and environment = 'live' and deleted_at is null and search_text like '%%empresa%%'
           and search_text like '%%garcia%%' and type = 'person' and tags @> array['cliente', 'activo'])
    select (select count(*) from hits), h.* from hits h order by created_at desc, id desc limit 25
"""
BARE_INSERT = """
    insert into contacts (org_id, environment, id, type, name, email, email_key, phone, phone_e164, company_id, tags,
                          custom_fields, own_search, company_search, version, created_at, updated_at)
    values (%s, 'live', %s, 'person', %s, %s, %s, null, null, null, %s, %s, %s, '', 1, now(), now())
"""


async def measure(here: Place, installation: Installation) -> None:
    org_id = here.provisioned["organization_id"]
    _fill(installation, org_id)
    print(f"\ncontacts.list: 25 of {CONTACTS} by text, type and two tags")
    bare = await _bare_list(installation, org_id)
    print(f"  bare SQL, 1 connection        {bare}")
    listing = request("/v1/contacts", here.key, FILTER)
    for connections in (1, CONNECTIONS):
        load = await _over_http(here, lambda _: listing, connections)
        print(f"    ratio to the bare query {load.rate / bare.rate:.2f}  (aim 0.40)")
    print("\ncontacts.create, with its event")
    bare = await _bare_inserts(installation, org_id)
    print(f"  bare committed inserts, {CONNECTIONS}     {bare}")
    load = await _over_http(
        here, lambda number: request("/v1/contacts/create", here.key, _contact(number)), CONNECTIONS
    )
    print(f"    ratio to bare inserts {load.rate / bare.rate:.2f}  (aim 0.50)")


async def _over_http(here: Place, make: Any, connections: int) -> Load:
    with spent(here) as cpu:
        load = await drive(here.port, make, connections=connections, seconds=SECONDS)
    each = {name: 1000 * seconds / (load.requests * 1.2) for name, seconds in cpu.items()}
    print(f"  HTTP with API key, {connections}           {load}")
    print(f"    CPU a request: server {each['server']:.2f} ms, PostgreSQL {each['postgres']:.2f} ms")
    return load


async def _bare_list(installation: Installation, org_id: str) -> Load:
    async def query(connection: psycopg.AsyncConnection, _: int) -> None:
        await (await connection.execute(BARE_LIST, (org_id,))).fetchall()

    return await _bare(installation, query, 1)


async def _bare_inserts(installation: Installation, org_id: str) -> Load:
    async def insert(connection: psycopg.AsyncConnection, number: int) -> None:
        data = _contact(number)
        row = (org_id, new_id("ct"), data["name"], data["email"], data["email"], data["tags"],
               json.dumps(data["custom_fields"]), fold(f"{data['name']} {data['email']}"))  # fmt: skip
        await connection.execute(BARE_INSERT, row)

    return await _bare(installation, insert, CONNECTIONS)


async def _bare(installation: Installation, work: Any, connections: int) -> Load:
    numbers, latencies = itertools.count(), []
    end = time.perf_counter() + SECONDS

    async def one() -> None:
        async with await psycopg.AsyncConnection.connect(installation.owner_url, autocommit=True) as connection:
            while (began := time.perf_counter()) < end:
                await work(connection, next(numbers))
                latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(one() for _ in range(connections)))
    latencies.sort()
    p50, p99 = (percentile(latencies, share) * 1000 for share in (0.5, 0.99))
    return Load(len(latencies) / SECONDS, p50, p99, len(latencies), 0)


def _contact(number: int) -> dict[str, Any]:
    return {
        "type": "person",
        "name": f"Maria Garcia {number}",
        "email": f"maria.{number}.{time.time_ns()}@ejemplo.com",
        "tags": ["lead", "inbound"],
        "custom_fields": {"source": "website", "interest": "plan_enterprise"},
    }


def _fill(installation: Installation, org_id: str) -> None:
    chance, now = random.Random(7), datetime.now(UTC)  # noqa: S311 - data for a benchmark
    first = "María José Antonio Lucía Carmen Pablo Elena Jorge Marta Íñigo".split()
    last = "García Pérez López Muñoz Sánchez Romero Núñez Gil Ortega Ramos".split()
    companies = "Empresa Gestoría Talleres Transportes Clínica".split()
    with psycopg.connect(installation.owner_url, autocommit=True) as connection:
        with (
            connection.transaction(),
            connection.cursor().copy(
                "copy contacts (org_id, environment, id, type, name, email, email_key, phone, phone_e164, tags, custom_fields,"
                " own_search, company_search, version, created_at, updated_at) from stdin"
            ) as copy,
        ):
            for number in range(CONTACTS):
                name = f"{chance.choice(first)} {chance.choice(last)} {chance.choice(last)} {number}"
                email, phone = f"contacto{number}@ejemplo.com", f"+346{number:08d}"
                company = f"{chance.choice(companies)} {chance.choice(last)}"
                tags = chance.sample(["cliente", "activo", "lead", "pro", "vip"], 3)
                copy.write_row((
                    org_id, "live", new_id("ct"), chance.choice(["person", "person", "company"]), name, email, email,
                    phone, phone, tags, json.dumps({"sector": "tecnologia", "number": number}),
                    fold(f"{name} {email} {phone}"), fold(company), 1, now - timedelta(seconds=number), now,
                ))  # fmt: skip
        connection.execute("vacuum analyze contacts")
