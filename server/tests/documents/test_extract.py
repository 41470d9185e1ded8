"""documents.extract and documents.classify: what they reply, keep and charge, and what they refuse."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from bivelio_server.documents import understanding
from bivelio_server.documents.fields import Classification, Extraction
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.text import Text
from bivelio_server.reading.port import Unreadable
from tests.documents.arranging import INVOICE, an_extraction, document, events_of, uploaded
from tests.documents.conftest import Scripts
from tests.documents.scripted import ScriptedModel, reading
from tests.usage.arranging import credits_of, give_credits
from tests.world import Organization

pytestmark = pytest.mark.anyio

EXTRACT, CLASSIFY = "/v1/documents/extract", "/v1/documents/classify"
UNKNOWN = Classification(None, 0.3, None, None, None)


@pytest.fixture(scope="module")
async def elsewhere() -> AsyncIterator[str]:
    """A server of somebody's documents: `/a.txt` is one, `/big` is large, nothing else is there."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        body = INVOICE.encode() if path.startswith("/a.txt") else b"x" * 200_000 if path == "/big" else b""
        status = "200 OK" if body else "404 Not Found"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_replies_as_the_reference_prints(acme: Organization, elsewhere: str) -> None:
    reply = await acme.live.call(
        EXTRACT,
        {"document_url": f"{elsewhere}/a.txt?signature=secret", "document_type": "invoice", "language": "es"},
    )

    assert reply["extraction_id"].startswith("ext_")
    assert reply["extracted"] == {"invoice_number": "FAC-2026-001", "issuer": {"nif": "B98765432"}}
    told = ("document_type", "confidence", "credits_consumed", "source", "engine", "needs_review", "document_url")
    assert {name: reply[name] for name in told} == {
        "document_type": "invoice", "confidence": 0.96, "credits_consumed": 3, "source": "text", "engine": "scripted",
        "needs_review": False, "document_url": f"{elsewhere}/a.txt",
    }  # fmt: skip
    assert reply["fields"][1] == {
        "path": "issuer.nif", "value": "B98765432", "confidence": 0.96, "page": 1, "box": [1.0, 2.0, 3.0, 4.0]
    }  # fmt: skip
    assert await acme.live.call("/v1/documents/get_extraction", {"extraction_id": reply["extraction_id"]}) == reply
    assert await credits_of(acme.live) == (3, 0, 49_997)


async def test_a_stored_document_keeps_what_was_found_out(acme: Organization, scripts: Scripts) -> None:
    made = await uploaded(acme.live)

    by_id = await acme.live.call(EXTRACT, {"document_id": made["document_id"]})
    by_url = await acme.live.call(CLASSIFY, {"document_url": made["url"]})

    found = await document(acme.live, made)
    assert [filename for _, filename in scripts.reader.read_files] == ["factura.txt"] * 2
    assert by_id["document_id"] == by_url["document_id"] == made["document_id"]
    assert (found["extraction_id"], found["classification"]["type"]) == (by_id["extraction_id"], "contract")
    assert events_of(acme) == []
    listed = await acme.live.call("/v1/documents/list_extractions", {"document_id": made["document_id"]})
    assert [each["extraction_id"] for each in listed["extractions"]] == [by_id["extraction_id"]]


async def test_classify_replies_as_the_reference_prints(acme: Organization, elsewhere: str, scripts: Scripts) -> None:
    scripts.reader.answer = reading("Contrato", pages=8)

    reply = await acme.live.call(CLASSIFY, {"document_url": f"{elsewhere}/a.txt", "categories": ["contract", "other"]})

    assert reply.pop("processed_at")
    assert reply == {
        "classification": "contract", "confidence": 0.95, "subcategory": "service_agreement",
        "summary": "Contrato de servicios.", "detected_language": "es", "page_count": 8, "credits_consumed": 2,
        "document_id": None, "engine": "scripted",
    }  # fmt: skip
    assert await credits_of(acme.live) == (2, 0, 49_998)


@pytest.mark.parametrize("path", [EXTRACT, CLASSIFY])
@pytest.mark.parametrize(
    ("data", "status", "field", "constraint"),
    [
        ({}, 400, "document_url", "one_of"),
        ({"document_url": "http://x.example", "document_id": "doc_x"}, 400, "document_url", "one_of"),
        ({"document_url": "ftp://x.example/a"}, 422, "document_url", "url"),
        ({"document_url": "not a url"}, 422, "document_url", "url"),
        ({"document_url": "http://10.0.0.1/a.pdf"}, 422, "document_url", "public_address"),
        ({"document_url": "http://169.254.169.254/latest"}, 422, "document_url", "public_address"),
        ({"document_url": "http://127.0.0.1:9/a.pdf"}, 422, "document_url", "reachable"),
        ({"document_url": "ELSEWHERE/missing"}, 422, "document_url", "reachable"),
        ({"document_url": "ELSEWHERE/big"}, 422, "document_url", "max_bytes"),
        ({"document_id": "doc_nobody"}, 404, "document_id", None),
    ],
)
async def test_a_refusal_names_the_input_and_costs_nothing(
    acme: Organization, elsewhere: str, monkeypatch: pytest.MonkeyPatch, services: Services, path: str, data: Any,
    status: int, field: str, constraint: str | None,
) -> None:  # fmt: skip
    monkeypatch.setattr(services.settings, "document_bytes", 100_000)

    reply = await acme.live.post(path, {name: value.replace("ELSEWHERE", elsewhere) for name, value in data.items()})

    details = reply.json()["error"]["details"]
    assert (reply.status_code, details["field"], details.get("constraint")) == (status, field, constraint)
    assert await credits_of(acme.live) == (0, 0, 50_000)
    assert (await acme.live.call("/v1/documents/list_extractions", {}))["extractions"] == []


@pytest.mark.parametrize("path", [EXTRACT, CLASSIFY])
@pytest.mark.parametrize("constraint", ["encrypted", "damaged", "empty", "max_pages", "mime_type"])
async def test_a_file_that_cannot_be_read_is_refused(
    acme: Organization, scripts: Scripts, path: str, constraint: str
) -> None:
    made = await uploaded(acme.live)
    scripts.reader.answer = Unreadable(constraint, Text("No se puede leer.", "It cannot be read."))

    reply = await acme.live.post(path, {"document_id": made["document_id"]})

    details = reply.json()["error"]["details"]
    assert (reply.status_code, details["field"], details["constraint"]) == (422, "document_id", constraint)
    assert await credits_of(acme.live) == (0, 0, 50_000)


async def test_an_address_of_ours_is_for_its_organisation(
    acme: Organization, rival: Organization, clock: MovableClock
) -> None:
    made = await uploaded(acme.live)

    foreign = await rival.live.post(EXTRACT, {"document_url": made["url"]})
    sandbox = await acme.sandbox.post(EXTRACT, {"document_url": made["url"]})
    altered = await acme.live.post(EXTRACT, {"document_url": made["url"][:-3]})
    clock.advance(minutes=61)
    expired = await acme.live.post(EXTRACT, {"document_url": made["url"]})

    assert [reply.status_code for reply in (foreign, sandbox, altered, expired)] == [404] * 4


async def test_a_document_of_no_known_type_is_refused(acme: Organization, scripts: Scripts) -> None:
    made = await uploaded(acme.live)
    scripts.extraction = Extraction(None, 0.0, {}, (), "text")

    reply = await acme.live.post(EXTRACT, {"document_id": made["document_id"]})

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (422, "document_type")
    assert await credits_of(acme.live) == (0, 0, 50_000)


async def test_only_the_fields_of_the_type_can_be_asked_for(acme: Organization, elsewhere: str) -> None:
    reply = await acme.live.post(
        EXTRACT, {"document_url": f"{elsewhere}/a.txt", "document_type": "invoice", "fields": ["nothing_such"]}
    )

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "fields[0]")


async def test_without_credits_nothing_is_read(acme: Organization, scripts: Scripts) -> None:
    made = await uploaded(acme.live)
    give_credits(acme, 2)

    reply = await acme.live.post(EXTRACT, {"document_id": made["document_id"]})

    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "CREDITS_EXHAUSTED")
    assert scripts.reader.read_files == []


async def test_the_same_request_again_is_answered_the_same(
    acme: Organization, scripts: Scripts, http: httpx2.AsyncClient
) -> None:
    made = await uploaded(acme.live)
    headers = {**acme.live.headers, "Idempotency-Key": "once"}

    first, second = [
        await http.post(EXTRACT, json={"data": {"document_id": made["document_id"]}}, headers=headers) for _ in range(2)
    ]

    assert first.json() == second.json()
    assert len(scripts.reader.read_files) == 1
    assert await credits_of(acme.live) == (3, 0, 49_997)


SCHEMA = {
    "type": "object",
    "properties": {"plate": {"type": "string"}, "kilometres": {"type": "integer"}},
    "required": ["plate", "kilometres"],
}


async def test_a_schema_of_ones_own_needs_a_model_that_writes(acme: Organization, elsewhere: str) -> None:
    reply = await acme.live.post(EXTRACT, {"document_url": f"{elsewhere}/a.txt", "json_schema": SCHEMA})

    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "INTEGRATION_ERROR")
    assert "BIVELIO_GEMINI_API_KEY" in reply.json()["error"]["message"]
    assert await credits_of(acme.live) == (0, 0, 50_000)


async def test_what_does_not_fit_the_schema_is_unknown(acme: Organization, scripts: Scripts) -> None:
    made = await uploaded(acme.live, "Matrícula 1234 BCD con muchos kilómetros")
    scripts.model = ScriptedModel()
    scripts.model.data = {"plate": "1234 BCD", "kilometres": "muchos", "colour": "red"}

    reply = await acme.live.call(EXTRACT, {"document_id": made["document_id"], "json_schema": SCHEMA})

    assert reply["extracted"] == {"plate": "1234 BCD", "kilometres": None}
    assert (reply["source"], reply["engine"], reply["document_type"]) == ("model", "scripted-model", None)
    [plate] = reply["fields"]
    assert (plate["page"], plate["box"], plate["confidence"]) == (1, [10.0, 0.0, 30.0, 10.0], 0.75)


async def test_a_schema_that_is_none_is_refused(acme: Organization, scripts: Scripts, elsewhere: str) -> None:
    scripts.model = ScriptedModel()

    wrong = await acme.live.post(EXTRACT, {"document_url": f"{elsewhere}/a.txt", "json_schema": {"type": "nothing"}})
    both = await acme.live.post(
        EXTRACT, {"document_url": f"{elsewhere}/a.txt", "json_schema": SCHEMA, "document_type": "invoice"}
    )

    assert wrong.status_code == both.status_code == 400
    assert wrong.json()["error"]["details"]["field"].startswith("json_schema")
    assert both.json()["error"]["details"]["field"] == "document_type"


@pytest.fixture
def doubtful(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    """The rules are sure of the number, not of the total, and have not found the date."""
    sure, doubt = an_extraction(invoice_number="FAC-2026-001"), an_extraction(0.5, total=1210)
    scripts.extraction = an_extraction(0.5, invoice_number="FAC-2026-001", total=1210, date=None)
    object.__setattr__(scripts.extraction, "fields", [*sure.fields, *doubt.fields])
    properties = {"invoice_number": {"type": "string"}, "total": {"type": "number"}, "date": {"type": "string"}}
    schema = SimpleNamespace(json_schema=lambda: {"type": "object", "properties": properties}, key_fields=("total",))
    monkeypatch.setitem(understanding.TYPES, "invoice", schema)
    return scripts


async def test_a_model_helps_where_the_rules_doubt(acme: Organization, doubtful: Scripts) -> None:
    made = await uploaded(acme.live)
    doubtful.model = ScriptedModel()
    doubtful.model.data = {"invoice_number": "WRONG", "total": 1210, "date": "2026-04-01"}

    reply = await acme.live.call(EXTRACT, {"document_id": made["document_id"]})

    assert reply["extracted"] == {"invoice_number": "FAC-2026-001", "total": 1210, "date": "2026-04-01"}
    confidence = {field["path"]: field["confidence"] for field in reply["fields"]}
    assert confidence == {"invoice_number": 0.96, "total": 0.95, "date": 0.75}
    assert (reply["source"], reply["engine"]) == ("model", "scripted-model")
    date = next(field for field in reply["fields"] if field["path"] == "date")
    assert (date["page"], date["box"]) == (1, [10.0, 10.0, 20.0, 20.0])


async def test_what_a_model_makes_up_waits_for_a_person(acme: Organization, doubtful: Scripts) -> None:
    made = await uploaded(acme.live)
    doubtful.model = ScriptedModel()
    doubtful.model.data = {"total": 999_999, "date": "1999-12-31"}

    reply = await acme.live.call(EXTRACT, {"document_id": made["document_id"]})

    assert reply["confidence"] == {field["path"]: field["confidence"] for field in reply["fields"]}["total"] == 0.4
    assert (reply["needs_review"], reply["review_status"]) == (True, "pending")


async def test_a_model_that_fails_leaves_what_the_rules_say(acme: Organization, doubtful: Scripts) -> None:
    made = await uploaded(acme.live)
    doubtful.model = ScriptedModel()
    doubtful.model.error = IntegrationFailed()

    reply = await acme.live.call(EXTRACT, {"document_id": made["document_id"]})

    assert (reply["extracted"]["total"], reply["source"], reply["needs_review"]) == (1210, "text", True)


async def test_the_embedded_models_extract_nothing(acme: Organization, doubtful: Scripts) -> None:
    made = await uploaded(acme.live)
    doubtful.model = ScriptedModel("embedded")

    reply = await acme.live.call(EXTRACT, {"document_id": made["document_id"]})

    assert (reply["source"], doubtful.model.asked) == ("text", [])


async def test_a_model_tells_categories_of_ones_own_apart(acme: Organization, scripts: Scripts) -> None:
    made = await uploaded(acme.live)
    scripts.classification, scripts.model = UNKNOWN, ScriptedModel("embedded")
    scripts.model.label = ("pedido", 0.8)

    reply = await acme.live.call(CLASSIFY, {"document_id": made["document_id"], "categories": ["pedido", "albarán"]})

    assert (reply["classification"], reply["confidence"], reply["engine"]) == ("pedido", 0.8, "scripted-model")
    assert scripts.model.asked == [["pedido", "albarán"]]


async def test_a_model_that_writes_sums_up(acme: Organization, scripts: Scripts) -> None:
    made = await uploaded(acme.live)
    scripts.model = ScriptedModel()
    scripts.model.summary = {"subcategory": "lease", "summary": "Un alquiler.", "detected_language": None}

    reply = await acme.live.call(CLASSIFY, {"document_id": made["document_id"]})

    assert (reply["classification"], reply["confidence"]) == ("contract", 0.95)
    assert (reply["subcategory"], reply["summary"], reply["detected_language"]) == ("lease", "Un alquiler.", "es")
