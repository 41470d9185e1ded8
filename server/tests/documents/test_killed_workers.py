"""A worker that dies while it processes a document: processed once all the same, told of once, paid for once."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.documents import mortal
from tests.documents.arranging import Json, document, events_of, processed, uploaded
from tests.reading.files import invoice, pdf
from tests.storage.arranging import files_of
from tests.usage.arranging import credits_of
from tests.workflows.processes import SERVER, workers
from tests.world import Organization

pytestmark = pytest.mark.anyio

POINTS_AT_LEAST = 10
#: Read in some seconds.
PAGES = 150


@dataclass
class Mortals:
    process: subprocess.Popen[str]

    async def live(self, dies_at: int) -> str:
        """Runs one worker to its death, or until a document is through; which of both."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{dies_at}\n")
        self.process.stdin.flush()
        async with asyncio.timeout(60):
            return (await asyncio.to_thread(self.process.stdout.readline)).strip()


@pytest.fixture
def mortals(installation: Installation, clock: MovableClock, alone: None) -> Iterator[Mortals]:
    assert installation.settings.secret_key is not None
    environment = os.environ | {
        mortal.DATABASE: installation.owner_url,
        mortal.SECRET: installation.settings.secret_key.get_secret_value(),
        mortal.FILES: str(installation.settings.storage_folder),
        mortal.AHEAD: str(clock.ahead.total_seconds()),
        "PYTHONPATH": str(SERVER),
    }
    command = [sys.executable, "-m", mortal.__name__]
    with subprocess.Popen(
        command, cwd=SERVER, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Mortals(process)


async def test_whatever_is_interrupted_is_done_and_charged_once(
    acme: Organization, services: Services, owner: psycopg.Connection, mortals: Mortals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bivelio_server.documents.queueing.REPLY_SECONDS", 0)
    for point in range(1, 100):
        made = await uploaded(acme.live, auto_classify=True, auto_extract=True)
        how = await mortals.live(point)
        if how == "killed":
            await _survive(acme, made, owner, mortals)

        found = await processed(acme.live, made)
        assert await _is_done_once(acme, services, found, point), point
        if how == "ended":
            break

    assert point > POINTS_AT_LEAST


async def test_a_document_that_kills_its_worker_again_and_again_fails(
    acme: Organization, owner: psycopg.Connection, mortals: Mortals
) -> None:
    made = await uploaded(acme.live, auto_extract=True)

    lives = []
    while not lives or lives[-1] == "killed":
        lives.append(await mortals.live(-1))
        _end_leases(owner)
    found = await processed(acme.live, made, "failed")

    assert lives == ["killed"] * 3 + ["ended"]
    assert "stopped the server" in found["error"]["message"]["en"]
    assert [event["status"] for event in events_of(acme)] == ["failed"]
    assert await credits_of(acme.live) == (0, 0, 50_000)


async def _survive(organization: Organization, made: Json, owner: psycopg.Connection, mortals: Mortals) -> None:
    """Another worker takes over what the dead one left, if it did."""
    _end_leases(owner)
    if (await document(organization.live, made))["status"] != "processed":
        assert await mortals.live(0) == "ended"


def _end_leases(owner: psycopg.Connection) -> None:
    owner.execute("update absurd.r_work set claim_expires_at = now() where state = 'running'")


async def _is_done_once(organization: Organization, services: Services, found: Json, documents: int) -> bool:
    """Of as many documents, of which this is the newest."""
    extractions = await organization.live.call("/v1/documents/list_extractions", {"per_page": 100})
    events = [event["document_id"] for event in events_of(organization)]
    assert (found["classification"]["type"], found["extraction_id"] is not None) == ("invoice", True)
    assert extractions["pagination"]["total"] == documents
    assert len(events) == len(set(events)) == documents
    assert await credits_of(organization.live) == (5 * documents, 0, 50_000 - 5 * documents)
    assert len(await files_of(services, organization)) == documents
    assert not list((services.settings.storage_folder / ".drafts").glob("*"))
    return True


async def test_a_worker_killed_while_its_child_reads(
    acme: Organization, installation: Installation, services: Services, clock: MovableClock
) -> None:
    content = pdf(*[invoice] * PAGES)
    made = await uploaded(acme.live, content, "factura.pdf", auto_extract=True)

    with workers(installation, clock, BIVELIO_STORAGE_DIR=str(installation.settings.storage_folder)) as crowd:
        crowd.start()
        while (await document(acme.live, made))["status"] != "processing":  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)
        crowd.kill(0)
        left = await document(acme.live, made)
        crowd.start()
        found = await processed(acme.live, made)

    assert (left["status"], found["page_count"]) == ("processing", PAGES)
    assert [event["document_id"] for event in events_of(acme)] == [made["document_id"]]
    assert await credits_of(acme.live) == (3, 0, 49_997)
    assert len(await files_of(services, acme)) == 1
