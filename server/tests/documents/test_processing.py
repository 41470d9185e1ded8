"""What happens after an upload: a durable task classifies and extracts, tells of it, and charges for what it did."""

import asyncio
from unittest.mock import DEFAULT, AsyncMock

import pytest

from bivelio_server.documents import processing, queries, queueing
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
    monkeypatch.setattr(queueing, "REPLY_SECONDS", 0.05)

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
@pytest.mark.parametrize("where", ["find_locked", "sort", "keep_extraction", "tell", "change"])
async def test_a_mistake_anywhere_leaves_nothing_under_way(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    broken = AsyncMock(side_effect=ZeroDivisionError())
    if where == "find_locked":
        monkeypatch.setattr(
            queries, where, AsyncMock(side_effect=[ZeroDivisionError(), *[DEFAULT] * 9], wraps=queries.find_locked)
        )
    else:
        monkeypatch.setattr(processing, where, broken)

    found = await processed(acme.live, await uploaded(acme.live, auto_classify=True, auto_extract=True), "failed")

    assert found["error"]["code"] == "INTERNAL_ERROR"


@pytest.mark.usefixtures("worker")
async def test_what_never_ends_is_given_up(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "_STEP_SECONDS", 0.01)
    monkeypatch.setattr(processing, "understand", lambda *_: asyncio.sleep(60))

    found = await processed(acme.live, await uploaded(acme.live, auto_extract=True), "failed")

    assert "takes too long" in found["error"]["message"]["en"]
    assert await credits_of(acme.live) == (0, 0, 50_000)


@pytest.mark.usefixtures("worker")
async def test_what_failed_is_processed_again(acme: Organization, scripts: Scripts) -> None:
    scripts.reader.answer = ZeroDivisionError()
    made = await processed(acme.live, await uploaded(acme.live, auto_extract=True), "failed")
    scripts.reader.answer = None

    again = await acme.live.call("/v1/documents/process", {"document_id": made["document_id"]})
    found = await processed(acme.live, again)

    assert (again["status"], again["error"], again["processed_at"]) == ("uploaded", None, None)
    assert (found["extraction_id"] is not None, found["classification"]) == (True, None)
    assert [event["status"] for event in events_of(acme)] == ["failed", "processed"]
    assert await credits_of(acme.live) == (3, 0, 49_997)


@pytest.mark.usefixtures("worker")
async def test_what_is_processed_again_is_what_is_asked_for(acme: Organization) -> None:
    made = await uploaded(acme.live)
    reference = {"document_id": made["document_id"]}

    nothing = await acme.live.post("/v1/documents/process", reference)
    classified = await acme.live.call("/v1/documents/process", {**reference, "auto_classify": True})
    await processed(acme.live, classified)

    assert (nothing.status_code, nothing.json()["error"]["details"]["field"]) == (422, "auto_extract")
    assert classified["classification"]["type"] == "contract"
    assert await credits_of(acme.live) == (2, 0, 49_998)


async def test_what_is_under_way_is_not_begun_again(acme: Organization) -> None:
    made = await uploaded(acme.live, auto_extract=True)

    reply = await acme.live.post("/v1/documents/process", {"document_id": made["document_id"]})

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")
    assert await credits_of(acme.live) == (0, 3, 49_997)


@pytest.mark.usefixtures("worker")
async def test_storage_that_is_away_is_waited_for(acme: Organization, scripts: Scripts) -> None:
    scripts.reader.answer = OSError("away")
    made = await uploaded(acme.live, auto_extract=True)
    while (await document(acme.live, made))["status"] == "uploaded":  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)

    scripts.reader.answer = reading("hola", pages=3)

    assert (await processed(acme.live, made))["page_count"] == 3


@pytest.mark.usefixtures("worker")
async def test_storage_that_stays_away_is_not_waited_for_without_end(
    acme: Organization, scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "_MOST_ATTEMPTS", 1)
    scripts.reader.answer = OSError("away")

    found = await processed(acme.live, await uploaded(acme.live, auto_extract=True), "failed")

    assert found["error"]["code"] == "INTERNAL_ERROR"


@pytest.mark.usefixtures("worker")
async def test_the_sandbox_charges_nothing(acme: Organization) -> None:
    made = await uploaded(acme.sandbox, auto_classify=True)

    assert made["classification"]["type"] == "contract"
    assert await credits_of(acme.live) == (0, 0, 50_000)
