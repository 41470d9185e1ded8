"""A CSV import of contacts: rows a second, against a bare COPY of the same rows into the same table and its indexes."""

import asyncio
import base64
import time
from typing import Any

import psycopg
from place import Place, spent

from bivelio_server.installation import Installation

ROWS = 20_000
COLUMNS = (
    "org_id, environment, id, type, name, email, email_key, phone, phone_e164, company_id, tags, custom_fields,"
    " own_search, company_search, version, created_at, updated_at"
)


async def measure(here: Place, installation: Installation) -> None:
    print(f"\nCSV import of {ROWS} contacts (name, e-mail, phone, tags, one custom field), upsert by e-mail")
    made = await _import(here, "new contacts")
    await _import(here, "the same file again, nothing changes")
    changed = await _import(here, "the same contacts, one field changed", source="otra")
    copied = await asyncio.to_thread(_copy, installation)
    print(f"  bare COPY, same rows          {copied:.0f} rows/s; the import takes {copied / made:.1f} times as long")
    print(f"    updating them takes {copied / changed:.1f} times as long")


async def _import(here: Place, name: str, source: str = "web") -> float:
    data = {"content_base64": base64.b64encode(_file(source)).decode(), "match": "email"}
    with spent(here) as cpu:
        began = time.perf_counter()
        job_id = (await asyncio.to_thread(here.call, "/v1/contacts/import", data))["job_id"]
        accepted = time.perf_counter() - began
        job = await _ended(here, job_id)
        seconds = time.perf_counter() - began
    assert job["status"] == "completed", job
    assert job["counts"]["failed"] == 0, job["counts"]
    print(
        f"  {name:37} {ROWS / seconds:.0f} rows/s; accepted in {1000 * accepted:.0f} ms; CPU a row"
        f" {1e6 * cpu['server'] / ROWS:.0f} us server, {1e6 * cpu['postgres'] / ROWS:.0f} us PostgreSQL"
    )
    return ROWS / seconds


async def _ended(here: Place, job_id: str) -> Any:
    while True:
        job = await asyncio.to_thread(here.call, "/v1/jobs/get", {"id": job_id})
        if job["finished_at"] is not None:
            return job
        await asyncio.sleep(0.05)


def _file(source: str) -> bytes:
    lines = [
        f"Persona {n},persona{n}@empresa{n % 200}.com,+34 6{n:08d},cliente; importado,{source}" for n in range(ROWS)
    ]
    return "\n".join(["name,email,phone,tags,custom_fields.source", *lines]).encode()


def _copy(installation: Installation) -> float:
    """As the owner, past row-level security: what PostgreSQL alone can do."""
    with psycopg.connect(installation.owner_url) as connection:
        connection.execute(
            f"create temporary table bare as select {COLUMNS} from contacts where name like 'Persona %' limit {ROWS}"
        )
        connection.execute("update bare set id = 'ct_copy' || substr(id, 4)")
        with connection.cursor().copy(f"copy (select {COLUMNS} from bare) to stdout") as copy:
            rows = b"".join(copy)
        connection.commit()
        began = time.perf_counter()
        with connection.cursor().copy(f"copy contacts ({COLUMNS}) from stdin") as copy:
            copy.write(rows)
        connection.commit()
        seconds = time.perf_counter() - began
        connection.execute("delete from contacts where id like 'ct_copy%'")
    return ROWS / seconds
