"""contacts.import: what a file makes of contacts."""

from typing import Any

import psycopg
import pytest

from tests.contacts.arranging import contact
from tests.jobs.arranging import contacts, csv_file, ended, errors_of, imported
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


async def test_imports_by_spanish_headers(acme: Organization) -> None:
    found = await imported(
        acme.live,
        "Nombre;Apellidos;Correo electrónico;Teléfono;Empresa;Etiquetas;Notas",
        "Maria;García Peña;Maria@Ejemplo.com;600 111 222;Gestoría Peña S.L.;cliente, vip;x",
        "Juan;;juan@ejemplo.com;;Gestoría Peña S.L.;;y",
    )

    assert found["counts"] == {
        "total": 2, "rows": 2, "created": 2, "updated": 0, "unchanged": 0, "skipped": 0, "failed": 0, "errors": 0,
        "companies_created": 1,
    }  # fmt: skip
    assert found["result"]["mapping"] == {
        "Nombre": "name", "Apellidos": "last_name", "Correo electrónico": "email", "Teléfono": "phone",
        "Empresa": "company", "Etiquetas": "tags",
    }  # fmt: skip
    assert found["progress"] == 1
    company, juan, maria = await contacts(acme.live)
    assert (company["type"], company["name"]) == ("company", "Gestoría Peña S.L.")
    assert juan["company_id"] == maria["company_id"] == company["id"]
    assert (maria["name"], maria["email"]) == ("Maria García Peña", "Maria@ejemplo.com")
    assert (maria["phone"], maria["phone_e164"], maria["tags"]) == ("600 111 222", "+34600111222", ["cliente", "vip"])
    assert [found["name"] for found in await contacts(acme.live, search="gestoria pena")] == [
        "Gestoría Peña S.L.", "Juan", "Maria García Peña",
    ]  # fmt: skip


async def test_a_mapping_names_columns_or_counts_them(acme: Organization) -> None:
    await imported(
        acme.live,
        "A,B,C",
        "Maria,maria@ejemplo.com,web",
        mapping={"A": "name", "2": "email", "C": "custom_fields.source"},
    )

    [maria] = await contacts(acme.live)
    assert (maria["name"], maria["email"], maria["custom_fields"]) == ("Maria", "maria@ejemplo.com", {"source": "web"})


async def test_without_a_header_columns_are_counted(acme: Organization) -> None:
    await imported(acme.live, "Maria\t600111222", has_header=False, match="phone", mapping={"1": "name", "2": "phone"})

    [maria] = await contacts(acme.live)
    assert (maria["name"], maria["phone_e164"]) == ("Maria", "+34600111222")


async def test_says_what_is_wrong_row_by_row_and_imports_the_rest(acme: Organization) -> None:
    found = await imported(
        acme.live,
        "name,email,phone,type",
        "Maria,no es un correo,,",
        "",
        "Juan,juan@ejemplo.com,12345678901234567890,alien",
        ",nadie@ejemplo.com,,",
        "Ana,ana@ejemplo.com,,persona",
    )

    assert errors_of(found) == [
        (2, "email", "email"), (4, "type", "one_of"), (4, "phone", "phone"), (5, "name", "required"),
    ]  # fmt: skip
    assert "correo" in found["errors"][0]["message"]
    assert (found["counts"]["created"], found["counts"]["failed"], found["counts"]["errors"]) == (1, 3, 4)
    assert [made["name"] for made in await contacts(acme.live)] == ["Ana"]


async def test_a_known_email_is_the_contact_it_belongs_to(acme: Organization) -> None:
    maria = await contact(
        acme.live, "Maria", email="maria@ejemplo.com", phone="+34600111222", tags=["a"], custom_fields={"x": "1"}
    )

    found = await imported(
        acme.live, "name,email,phone,tags,custom_fields.y", "Maria Garcia,MARIA@ejemplo.com,,b,2", tags=["c"]
    )

    assert (found["counts"]["created"], found["counts"]["updated"]) == (0, 1)
    [now] = await contacts(acme.live)
    assert (now["id"], now["name"], now["version"]) == (maria["id"], "Maria Garcia", 2)
    assert (now["phone"], now["tags"], now["custom_fields"]) == ("+34600111222", ["a", "b", "c"], {"x": "1", "y": "2"})


async def test_the_same_file_again_changes_nothing(acme: Organization) -> None:
    lines = ("name,email,phone", "Maria,maria@ejemplo.com,+34 600 111 222")
    await imported(acme.live, *lines)

    found = await imported(acme.live, *lines)

    assert (found["counts"]["updated"], found["counts"]["unchanged"]) == (0, 1)
    [maria] = await contacts(acme.live)
    assert maria["version"] == 1


async def test_matches_by_phone_however_it_is_written(acme: Organization) -> None:
    await contact(acme.live, "Maria", phone="600 111 222")

    found = await imported(acme.live, "name,tel", "Maria Garcia,0034 600-111-222", match="phone")

    assert (found["counts"]["created"], found["counts"]["updated"]) == (0, 1)


async def test_what_exists_can_be_skipped(acme: Organization) -> None:
    await contact(acme.live, "Maria", email="maria@ejemplo.com")

    found = await imported(
        acme.live, "name,email", "Otra,maria@ejemplo.com", "Ana,ana@ejemplo.com", "Eva,ana@ejemplo.com",
        on_conflict="skip",
    )  # fmt: skip

    assert (found["counts"]["created"], found["counts"]["skipped"]) == (1, 2)
    assert [made["name"] for made in await contacts(acme.live)] == ["Ana", "Maria"]


async def test_a_key_twice_in_the_file_is_one_contact(acme: Organization) -> None:
    """Within a batch and across batches."""
    rows = [f"Persona {n},p{n % 1100}@ejemplo.com,t{n}" for n in range(1200)]

    found = await imported(acme.live, "name,email,tags", *rows, "Otra,P5@ejemplo.com,t")

    assert (found["counts"]["created"], found["counts"]["updated"]) == (1100, 101)
    page = await acme.live.call("/v1/contacts", {"search": "p5@ejemplo.com"})
    assert [(made["name"], made["tags"]) for made in page["contacts"]] == [("Otra", ["t5", "t1105", "t"])]


async def test_a_dry_run_tells_the_same_and_does_nothing(acme: Organization, owner: psycopg.Connection) -> None:
    await contact(acme.live, "Maria", email="p1@ejemplo.com")
    rows = [f"Persona {n},p{n % 1100}@ejemplo.com,Empresa {n % 3}" for n in range(1200)]
    lines = ("name,email,company", *rows, ",mala,")

    rehearsal = await imported(acme.live, *lines, dry_run=True)
    assert len(await contacts(acme.live)) == 1
    real = await imported(acme.live, *lines)

    assert rehearsal["counts"] == real["counts"]
    assert rehearsal["errors"] == real["errors"]
    files = owner.execute("select count(*) from job_files where org_id = %s", (acme.id,)).fetchone()
    assert files == (0,)


async def test_a_dry_run_knows_what_would_stay_as_it_is(acme: Organization) -> None:
    """Compared with what there is, and with what rows of the same batch and of earlier ones would have made of it."""
    await contact(acme.live, "Otra", email="p3@ejemplo.com", tags=["a"])
    rows = [f"Persona {n % 7},p{n % 1050}@ejemplo.com,Empresa {n // 1100},t{n % 3}" for n in range(1250)]
    same = ["Persona 1,p1@ejemplo.com,Empresa 1,t1", "Persona 1,p1@ejemplo.com,Empresa 1,"] * 2
    lines = ("name,email,company,tags", *rows, *same)

    for _ in range(2):
        rehearsal = await imported(acme.live, *lines, dry_run=True)
        real = await imported(acme.live, *lines)

        assert rehearsal["counts"] == real["counts"]
        assert real["counts"]["unchanged"] > 0


async def test_rows_that_change_nothing_are_all_counted_so(acme: Organization) -> None:
    lines = ("name,email", "Maria,maria@ejemplo.com", "Maria,maria@ejemplo.com")
    await imported(acme.live, *lines)

    for dry_run in (True, False):
        found = await imported(acme.live, *lines, dry_run=dry_run)
        assert (found["counts"]["updated"], found["counts"]["unchanged"]) == (0, 2)


async def test_a_company_in_the_file_is_the_company_of_its_people(acme: Organization) -> None:
    found = await imported(
        acme.live, "name,type,company,email", "Maria,,Empresa ABC,m@e.com", "Empresa ABC,empresa,,abc@e.com",
    )  # fmt: skip

    company, maria = await contacts(acme.live)
    assert (company["type"], company["email"], maria["company_id"]) == ("company", "abc@e.com", company["id"])
    assert (found["counts"]["created"], found["counts"]["companies_created"]) == (2, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16"])
async def test_finds_out_the_encoding(acme: Organization, encoding: str) -> None:
    data = csv_file("nombre,correo", "Peña Ñandú,p@ejemplo.com", encoding=encoding)

    job_id = (await acme.live.call("/v1/contacts/import", data))["job_id"]

    await ended(acme.live, job_id)
    assert [made["name"] for made in await contacts(acme.live)] == ["Peña Ñandú"]


async def test_records_events_only_when_asked(acme: Organization, owner: psycopg.Connection) -> None:
    await imported(acme.live, "name,email", "Maria,maria@ejemplo.com")
    assert events_of(owner, acme) == []

    await imported(acme.live, "name,email", "Maria Garcia,maria@ejemplo.com", "Ana,ana@ejemplo.com", events=True)

    assert events_of(owner, acme) == [("contact.created", "Ana"), ("contact.updated", "Maria Garcia")]


async def test_history_tells_of_the_import(acme: Organization) -> None:
    await imported(acme.live, "name,email", "Maria,maria@ejemplo.com")
    await imported(acme.live, "name,email", "Maria Garcia,maria@ejemplo.com")
    [maria] = await contacts(acme.live)

    history = await acme.live.call("/v1/contacts/history", {"id": maria["id"]})

    assert history["pagination"]["total"] == 2
    update, creation = history["entries"]
    assert (update["operation"], update["version"]) == ("contacts.import", 2)
    assert update["changes"] == [{"field": "name", "before": "Maria", "after": "Maria Garcia"}]
    assert update["actor"].startswith("key:")
    assert {change["field"]: change["after"] for change in creation["changes"]}["email"] == "maria@ejemplo.com"


@pytest.mark.parametrize(
    ("data", "field", "constraint"),
    [
        ({}, "content_base64", "required"),
        ({"content_base64": "%%%"}, "content_base64", "base64"),
        (csv_file(""), "file", "min_items"),
        (csv_file("name,email"), "file", "min_items"),
        (csv_file("name,email", '"Maria,m@e.com'), "file", "csv"),
        (csv_file("name,x", "Maria,m@e.com"), "match", "mapped"),
        ({**csv_file("x,y", "Maria,m@e.com"), "match": "none"}, "mapping", "required"),
        ({**csv_file("name,email", "Maria,m@e.com"), "has_header": False}, "mapping", "required"),
        ({**csv_file("name,email", "a,b"), "mapping": {"nada": "name"}}, "mapping.nada", "column"),
        ({**csv_file("name,email", "a,b"), "mapping": {"name": "org_id"}}, "mapping.name", "one_of"),
        ({**csv_file("name,email", "a,b"), "mapping": {"name": "email", "2": "email"}}, "mapping", "unique"),
        ({**csv_file("name,email", "a,b"), "encoding": "utf-16"}, "encoding", "encoding"),
    ],
)
async def test_refuses_at_once_what_no_job_could_do(
    acme: Organization, data: dict[str, Any], field: str, constraint: str
) -> None:
    reply = await acme.live.post("/v1/contacts/import", data)

    assert reply.status_code == 400, reply.text
    details = reply.json()["error"]["details"]
    assert (details["field"], details["constraint"]) == (field, constraint)


def events_of(database: psycopg.Connection, organization: Organization) -> list[tuple[str, str]]:
    rows = database.execute(
        "select event, data ->> 'name' from events where org_id = %s order by event", (organization.id,)
    )
    return [(event, name) for event, name in rows]
