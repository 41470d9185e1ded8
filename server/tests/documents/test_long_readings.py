"""Documents that take long to be read: how far they are can be seen, and they keep nobody else waiting."""

import asyncio
import time

import pytest

from bivelio_server.documents import processing
from bivelio_server.kit.context import Services
from bivelio_server.reading.port import Unreadable
from bivelio_server.reading.refusals import refusal
from tests.documents.arranging import Json, document, processed, uploaded
from tests.documents.conftest import Scripts
from tests.usage.arranging import credits_of
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

SCANS = 30


async def until_progress(client: Client, made: Json, least: float) -> Json:
    deadline = time.monotonic() + 20
    while (found := await document(client, made))["progress"] < least:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.02)
    return found


@pytest.mark.usefixtures("worker")
async def test_progress_grows_with_the_pages(
    acme: Organization, scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "_NOTED_SECONDS", 0.01)
    scripts.reader.held["scan.pdf"] = end = asyncio.Event()
    made = await uploaded(acme.live, filename="scan.pdf", auto_extract=True)
    await scripts.reader.was_asked.wait()

    scripts.reader.tell(50, 100)
    halfway = await until_progress(acme.live, made, 0.45)
    end.set()
    found = await processed(acme.live, made)

    assert (halfway["status"], halfway["progress"], halfway["version"]) == ("processing", 0.45, 1)
    assert (found["progress"], await credits_of(acme.live)) == (1.0, (3, 0, 49_997))


@pytest.mark.usefixtures("worker")
async def test_a_scan_of_many_pages_may_take_long_in_the_background_only(
    acme: Organization, scripts: Scripts, services: Services
) -> None:
    made = await processed(acme.live, await uploaded(acme.live, auto_extract=True))
    meanwhile = scripts.reader.limits
    await acme.live.call("/v1/documents/extract", {"document_id": made["document_id"]})
    awaited = scripts.reader.limits

    assert meanwhile.seconds_after(0) == awaited.seconds_after(100) == 120
    assert meanwhile.seconds_after(50) == 120 + 50 * 30
    assert meanwhile.seconds_after(1000) == services.settings.reading_seconds


async def test_what_takes_too_long_for_a_reply_is_told_of_the_background(acme: Organization, scripts: Scripts) -> None:
    scripts.reader.answer = refusal("max_seconds")
    made = await uploaded(acme.live)

    reply = await acme.live.post("/v1/documents/extract", {"document_id": made["document_id"]})

    assert (reply.status_code, reply.json()["error"]["details"]["constraint"]) == (422, "max_seconds")
    assert "auto_extract" in reply.json()["error"]["message"]
    assert isinstance(scripts.reader.answer, Unreadable)


@pytest.mark.usefixtures("worker")
async def test_many_scans_of_one_organisation_delay_nobody_else(
    acme: Organization, rival: Organization, scripts: Scripts
) -> None:
    scripts.reader.held["scan.pdf"] = end = asyncio.Event()
    scans = [await uploaded(acme.live, filename="scan.pdf", auto_extract=True) for _ in range(SCANS)]

    invoice = await processed(rival.live, await uploaded(rival.live, auto_extract=True))
    awaited = await acme.live.call("/v1/documents/extract", {"document_id": (await uploaded(acme.live))["document_id"]})
    contact = {"name": "Hola", "steps": [{"id": "new", "uses": "contacts.create", "with": {"name": "Ana"}}]}
    workflow = await acme.live.call("/v1/workflows/create", contact)
    await acme.live.call("/v1/workflows/activate", {"id": workflow["id"]})
    run = await acme.live.call("/v1/workflows/execute", {"workflow_id": workflow["id"], "async": False})
    waiting = [(await document(acme.live, scan))["status"] for scan in scans]
    end.set()

    assert (invoice["status"], awaited["source"], run["status"]) == ("processed", "text", "completed")
    assert "processed" not in waiting
    for scan in scans:
        await processed(acme.live, scan)
    assert await credits_of(acme.live) == (3 * SCANS + 3, 0, 50_000 - 3 * SCANS - 3)
