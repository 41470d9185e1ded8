"""What happens after an upload: a durable task classifies and extracts, tells of it, and charges for what it did."""

import asyncio
from typing import Any

import pytest

from bivelio_server.documents import processing
from bivelio_server.documents.fields import Extraction
from bivelio_server.kit.text import Text
from bivelio_server.reading.port import Unreadable
from tests.documents.arranging import document, events_of, processed, uploaded
from tests.documents.conftest import Scripts
from tests.documents.scripted import reading
from tests.usage.arranging import credits_of
from tests.world import Organization

pytestmark = pytest.mark.anyio


@pytest.mark.usefixtures("worker")
async def test_the_reply_tells_what_kind_it_is(acme: Organization) -> None:
    made = await uploaded(acme.live, auto_classify=True)

    classification = made["classification"]
    assert (classification["type"], classification["confidence"]) == ("contract", 0.95)
    found = await processed(acme.live, made)
    assert (found["progress"], found["page_count"], found["error"]) == (1.0, 1, None)
    assert await credits_of(acme.live) == (2, 0, 49_998)
    assert [
        each["document_id"] for each in (await acme.live.call("/v1/documents/list", {"type": "contract"}))["documents"]
    ] == [made["document_id"]]


async def test_the_reply_does_not_wait_for_long(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "REPLY_SECONDS", 0.05)

    made = await uploaded(acme.live, auto_classify=True, auto_extract=True)

    assert (made["status"], made["classification"]) == ("uploaded", None)
    assert await credits_of(acme.live) == (0, 5, 49_995)


@pytest.mark.usefixtures("worker")
async def test_extracts_and_tells_the_world(acme: Organization) -> None:
    made = await uploaded(acme.live, auto_classify=True, auto_extract=True)

    found = await processed(acme.live, made)

    extraction = await acme.live.call("/v1/documents/get_extraction", {"extraction_id": found["extraction_id"]})
    [event] = events_of(acme)
    assert extraction["extracted"] == {"invoice_number": "FAC-2026-001", "issuer": {"nif": "B98765432"}}
    assert extraction["document_id"] == made["document_id"]
    assert {**event, "url": None} == {**found, "url": None}
    assert await credits_of(acme.live) == (5, 0, 49_995)


@pytest.mark.usefixtures("worker")
async def test_of_no_known_type_nothing_is_extracted_or_charged(acme: Organization, scripts: Scripts) -> None:
    scripts.extraction = Extraction(None, 0.0, {}, (), "text")

    found = await processed(acme.live, await uploaded(acme.live, auto_classify=True, auto_extract=True))

    assert found["extraction_id"] is None
    assert await credits_of(acme.live) == (2, 0, 49_998)


@pytest.mark.usefixtures("worker")
async def test_what_cannot_be_read_fails_and_costs_nothing(acme: Organization, scripts: Scripts) -> None:
    scripts.reader.answer = Unreadable("encrypted", Text("Está cifrado.", "It is encrypted."))

    found = await processed(acme.live, await uploaded(acme.live, auto_extract=True), "failed")

    assert found["error"] == {
        "code": "VALIDATION_ERROR",
        "field": "document_id",
        "constraint": "encrypted",
        "message": {"es": "Está cifrado.", "en": "It is encrypted."},
    }
    assert await credits_of(acme.live) == (0, 0, 50_000)
    assert [event["status"] for event in events_of(acme)] == ["failed"]


@pytest.mark.usefixtures("worker")
async def test_a_mistake_of_ours_is_told_and_costs_nothing(acme: Organization, scripts: Scripts) -> None:
    scripts.reader.answer = ZeroDivisionError()

    found = await processed(acme.live, await uploaded(acme.live, auto_classify=True), "failed")

    assert found["error"]["code"] == "INTERNAL_ERROR"
    assert await credits_of(acme.live) == (0, 0, 50_000)


@pytest.mark.usefixtures("worker")
async def test_storage_that_is_away_is_waited_for(acme: Organization, scripts: Scripts, reading_services: Any) -> None:
    scripts.reader.answer = OSError("away")
    made = await uploaded(acme.live, auto_extract=True)
    async with asyncio.timeout(10):
        await scripts.reader.was_asked.wait()

    scripts.reader.answer = reading("hola", pages=3)

    assert (await document(acme.live, made))["status"] == "processing"


@pytest.mark.usefixtures("worker")
async def test_the_sandbox_charges_nothing(acme: Organization) -> None:
    made = await uploaded(acme.sandbox, auto_classify=True)

    assert made["classification"]["type"] == "contract"
    assert await credits_of(acme.live) == (0, 0, 50_000)
