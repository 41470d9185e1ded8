"""From a file to its fields, with nothing scripted: the reader, the rules and the places are the real ones."""

from functools import partial

import pytest
from reportlab.pdfgen.canvas import Canvas

from bivelio_server.documents import fields, understanding
from bivelio_server.kit.context import Services
from tests.documents.arranging import processed, uploaded
from tests.documents.conftest import Scripts
from tests.reading.files import docx, empty_pages, pdf
from tests.usage.arranging import credits_of
from tests.workflows.arranging import Json, ended, instances, reached, until
from tests.workflows.deciding import DECIDE, waiting_in
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker", "as_it_is")]

LINES = (
    "FACTURA", "Proveedor Sol S.L.", "CIF: B12345674", "Nº factura: FAC-2026-001", "Fecha: 01/04/2026", "CLIENTE",
    "Empresa Nova S.A.", "NIF: A58818501", "Base imponible 1.000,00", "IVA 21% 210,00", "TOTAL FACTURA 1.210,00 EUR",
)  # fmt: skip


@pytest.fixture
def as_it_is(scripts: Scripts, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts.reader, "read", services.reader.read)
    monkeypatch.setattr(understanding, "extract", fields.extract)
    monkeypatch.setattr(understanding, "classify", fields.classify)


def written(canvas: Canvas, lines: tuple[str, ...]) -> None:
    for row, line in enumerate(lines):
        canvas.drawString(72, 770 - 20 * row, line)


INVOICE = pdf(partial(written, lines=LINES))


async def test_an_upload_is_classified_and_read(acme: Organization) -> None:
    made = await uploaded(acme.live, INVOICE, "factura.pdf", auto_classify=True, auto_extract=True)

    found = await processed(acme.live, made)
    extraction = await acme.live.call("/v1/documents/get_extraction", {"extraction_id": found["extraction_id"]})
    assert (found["classification"]["type"], found["mime_type"], found["page_count"]) == (
        "invoice",
        "application/pdf",
        1,
    )
    extracted = extraction["extracted"]
    assert (extracted["invoice_number"], extracted["date"], extracted["total"]) == ("FAC-2026-001", "2026-04-01", 1210)
    assert (extracted["issuer"]["nif"], extracted["recipient"]["nif"]) == ("B12345674", "A58818501")
    total = next(field for field in extraction["fields"] if field["path"] == "total")
    assert total["page"] == 1
    x0, y0, x1, y1 = total["box"]
    assert 72 < x0 < x1 < 595
    assert 842 - 770 + 20 * 9 < y0 < y1 < 842 - 770 + 20 * 10 + 5


@pytest.mark.parametrize("fields_", [["total"], ["invoice_number", "line_items"]])
async def test_only_what_is_asked_for_is_told(acme: Organization, fields_: list[str]) -> None:
    made = await uploaded(acme.live, INVOICE, "factura.pdf")

    reply = await acme.live.call(
        "/v1/documents/extract",
        {"document_id": made["document_id"], "document_type": "invoice", "fields": fields_, "language": "es"},
    )

    assert set(reply["extracted"]) == {*fields_, "currency"}


@pytest.mark.parametrize(
    ("content", "constraint"),
    [
        (INVOICE[: len(INVOICE) // 2], "damaged"),
        (empty_pages(10_000), "max_pages"),
        (bytes(range(256)), "file_name"),
        (pdf(encrypt="secret"), "encrypted"),
    ],
    ids=["truncated", "endless", "no PDF", "encrypted"],
)
async def test_bad_files_are_refused(acme: Organization, content: bytes, constraint: str) -> None:
    made = await uploaded(acme.live, content, "factura.pdf")

    for path in ("extract", "classify"):
        reply = await acme.live.post(f"/v1/documents/{path}", {"document_id": made["document_id"]})
        details = reply.json()["error"]["details"]
        assert (reply.status_code, details["field"], details["constraint"]) == (422, "document_id", constraint)
    assert await credits_of(acme.live) == (0, 0, 50_000)


async def test_a_contract_of_an_office(acme: Organization) -> None:
    text = (
        "CONTRATO DE ARRENDAMIENTO", "En Madrid, a 1 de abril de 2026", "REUNIDOS", "De una parte, Ana Peña García.",
        "De otra parte, Empresa Nova S.A.", "EXPONEN", "ESTIPULACIONES", "PRIMERA. Objeto del contrato.",
    )  # fmt: skip
    made = await uploaded(acme.live, docx(*text), "contrato.docx")

    reply = await acme.live.call("/v1/documents/classify", {"document_id": made["document_id"]})

    assert (reply["classification"], reply["detected_language"]) == ("contract", "es")


async def test_the_ready_workflow_reads_what_it_surely_knows(acme: Organization) -> None:
    triage = await triaging(acme)
    await uploaded(acme.live, INVOICE, "factura.pdf", auto_classify=True)

    run = await ended(acme.live, await the_run_of(acme, triage))

    assert (run["output"]["kind"], run["output"]["approved"]) == ("invoice", True)
    assert run["output"]["data"]["total"] == 1210


async def test_the_ready_workflow_asks_about_what_is_not_sure(acme: Organization) -> None:
    triage = await triaging(acme, sure_percent=100)
    await uploaded(acme.live, docx("CONTRATO DE ARRENDAMIENTO", "REUNIDOS", "EXPONEN"), "c.docx", auto_classify=True)

    run = await reached(acme.live, await the_run_of(acme, triage), "waiting")

    [question] = await waiting_in(acme.live, run)
    assert question["title"].startswith("c.docx: ¿es «contract»")
    await acme.live.call(DECIDE, {"approval_id": question["approval_id"], "decision": "reject"})
    assert (await ended(acme.live, run))["output"]["approved"] is False


async def triaging(organization: Organization, **parameters: int) -> Json:
    data = {"template_id": "triage_document", "status": "active", "parameters": parameters}
    made: Json = await organization.live.call("/v1/workflows/create_from_template", data)
    return made


async def the_run_of(organization: Organization, made: Json) -> Json:
    """That which the document starts."""

    async def has_begun() -> bool:
        return bool(await instances(organization.live, workflow_id=made["id"]))

    await until(has_begun)
    [run] = await instances(organization.live, workflow_id=made["id"])
    return run
