"""A person who is erased is erased from what is kept of boxes, too."""

from collections.abc import AsyncIterator

import pytest

from bivelio_server.boxes.tasks import INGEST_TASK
from bivelio_server.contacts import long_work
from bivelio_server.durable import Run
from bivelio_server.jobs.running import JobRunner
from bivelio_server.jobs.starting import TASK
from bivelio_server.kit.context import Services
from tests.boxes.arranging import a_box, add, files, make_ready
from tests.jobs.arranging import done
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio


@pytest.fixture
async def jobs_done(services: Services) -> AsyncIterator[None]:
    async with working(services, {TASK: JobRunner(long_work.KINDS), INGEST_TASK: pass_over}):
        yield


async def pass_over(run: Run) -> None:
    """What is read out of the file is made by the test."""
    async with run.transaction() as session:
        await run.finish(session)


@pytest.mark.usefixtures("alone", "jobs_done")
async def test_a_person_goes_from_names_pages_and_passages(acme: Organization) -> None:
    contact = await acme.live.call("/v1/contacts/create", {"name": "Ana Peña", "email": "ana.pena@ejemplo.com"})
    box = await a_box(acme.live, "Expediente de ana.pena@ejemplo.com")
    made = await add(acme.live, box, filename="ana.pena@ejemplo.com.txt")
    make_ready(acme, made["id"], "El contrato de ana.pena@ejemplo.com dura un año.")

    await done(acme.live, "/v1/contacts/erase", {"id": contact["id"]})

    shown = await acme.live.call("/v1/boxes/get", {"box_id": box}), await files(acme.live, box)
    read = [
        acme.world.database.execute(f"select text from {table} where org_id = %s", (acme.id,)).fetchall()
        for table in ("box_pages", "box_chunks")
    ]
    assert "ana.pena" not in f"{shown} {read}"
    assert read == [[("[borrado]",)]] * 2
