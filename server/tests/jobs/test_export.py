"""contacts.export, and the download of what it made."""

import csv
import io
import json
from urllib.parse import urlsplit

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.contacts.arranging import contact
from tests.contacts.test_spreadsheets import FORMULAS
from tests.jobs.arranging import contacts, csv_file, done, downloaded, ended, job
from tests.workflows.arranging import later, until
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


async def test_exports_what_the_list_would_show(acme: Organization) -> None:
    company = await contact(acme.live, "Empresa ABC", type="company")
    maria = await contact(
        acme.live, "Maria", email="maria@ejemplo.com", phone="+34 600 111 222", company_id=company["id"],
        tags=["vip", "b, c"], custom_fields={"source": "web", "n": 5},
    )  # fmt: skip
    await contact(acme.live, "Juan")

    found = await done(acme.live, "/v1/contacts/export", {"company_id": company["id"]})

    reply = await downloaded(acme.live, found)
    [row] = csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig")))
    assert found["result"]["rows"] == found["counts"]["rows"] == 1
    assert found["result"]["bytes"] == len(reply.content)
    assert row == {
        "id": maria["id"], "type": "person", "name": "Maria", "email": "maria@ejemplo.com", "phone": "'+34 600 111 222",
        "company_id": company["id"], "company": "Empresa ABC", "tags": '["vip","b, c"]', "custom_fields.n": "5",
        "custom_fields.source": "web", "custom_fields": "", "created_at": maria["created_at"],
        "updated_at": maria["updated_at"],
    }  # fmt: skip


async def test_exports_json_as_get_would_return_it(acme: Organization) -> None:
    for n in range(3):
        await contact(acme.live, f"Persona {n}", custom_fields={"n": n})

    found = await done(acme.live, "/v1/contacts/export", {"format": "json"})

    rows = json.loads((await downloaded(acme.live, found)).content)
    assert rows == [await acme.live.call("/v1/contacts/get", {"id": row["id"]}) for row in rows]
    assert len(rows) == 3


@pytest.mark.parametrize("format_", ["csv", "json"])
async def test_an_export_of_nothing_is_a_file_too(acme: Organization, format_: str) -> None:
    found = await done(acme.live, "/v1/contacts/export", {"format": format_})

    content = (await downloaded(acme.live, found)).content
    assert content.startswith(b"\xef\xbb\xbf" if format_ == "csv" else b"[")
    assert found["result"]["rows"] == 0
    assert format_ == "csv" or json.loads(content) == []


async def test_exports_more_than_one_batch(acme: Organization) -> None:
    lines = [f"Persona {n},p{n}@ejemplo.com" for n in range(1500)]
    await done(acme.live, "/v1/contacts/import", csv_file("name,email", *lines))

    found = await done(acme.live, "/v1/contacts/export", {"search": "persona"})

    rows = list(csv.DictReader(io.StringIO((await downloaded(acme.live, found)).content.decode("utf-8-sig"))))
    assert sorted(row["email"] for row in rows) == sorted(f"p{n}@ejemplo.com" for n in range(1500))


async def test_what_was_exported_can_be_imported(acme: Organization, rival: Organization) -> None:
    fields = {f"f{n}": text for n, text in enumerate(FORMULAS)}
    await contact(
        acme.live, "=HYPERLINK(1)", email="+a@ejemplo.com", phone="+34 600 111 222", tags=["-x", "a;b"],
        custom_fields=fields,
    )  # fmt: skip
    found = await done(acme.live, "/v1/contacts/export", {})
    content = (await downloaded(acme.live, found)).content

    cells = [cell for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for cell in row]
    reply = await rival.live.http.post(
        "/v1/contacts/import", data={"data": "{}"}, files={"file": ("contacts.csv", content)},
        headers=rival.live.headers,
    )  # fmt: skip
    imported = await ended(rival.live, reply.json()["data"]["job_id"])

    assert not [
        cell for cell in cells if cell.strip(" '\"")[:1] in set("=+-@\t\r\n＝＋－＠") and not cell.startswith("'")
    ]
    assert imported["counts"]["created"] == 1, imported
    [before], [after] = await contacts(acme.live), await contacts(rival.live)
    for name in ("name", "email", "phone", "phone_e164", "tags", "custom_fields"):
        assert after[name] == before[name], name


async def test_a_download_is_an_attachment_that_no_browser_runs(acme: Organization) -> None:
    found = await done(acme.live, "/v1/contacts/export", {})

    headers = (await downloaded(acme.live, found)).headers

    assert headers["content-disposition"].startswith('attachment; filename="contacts-')
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert headers["cache-control"] == "private, no-store"


async def test_a_forged_address_leads_nowhere(acme: Organization) -> None:
    found = await done(acme.live, "/v1/contacts/export", {})
    path = urlsplit(found["result"]["url"]).path
    prefix, _, token = path.rpartition("/")
    forged = [token[:-1], token + "A", "A" * len(token), "x", "%00", "a b", *flipped(token)]

    replies = [await acme.live.http.get(f"{prefix}/{candidate}") for candidate in forged]

    assert {reply.status_code for reply in replies} == {404}
    assert (await acme.live.http.get(path)).status_code == 200


def flipped(token: str) -> list[str]:
    return [f"{token[:n]}{'A' if token[n] != 'A' else 'B'}{token[n + 1 :]}" for n in range(0, len(token), 7)]


async def test_an_address_is_good_for_an_hour_and_the_file_for_a_day(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    found = await done(acme.live, "/v1/contacts/export", {})
    clock.advance(minutes=61)

    assert (await downloaded(acme.live, found)).status_code == 404
    again = await job(acme.live, found["id"])
    assert (await downloaded(acme.live, again)).status_code == 200

    later(services, clock, hours=24)

    async def erased() -> bool:
        return (await job(acme.live, found["id"]))["result"]["url"] is None

    await until(erased)
    assert (await downloaded(acme.live, again)).status_code == 404
    left = owner.execute("select count(*) from job_file_pieces where org_id = %s", (acme.id,)).fetchone()
    assert left == (0,)


async def test_who_may_not_read_contacts_sees_no_file(acme: Organization) -> None:
    found = await done(acme.live, "/v1/contacts/export", {})

    seen = await job(acme.key("jobs:read"), found["id"])

    assert (seen["status"], seen["result"], seen["errors"]) == ("completed", None, [])
