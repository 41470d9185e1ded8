"""What comes in the way of a file that is being made searchable: it is deleted or replaced, it cannot be read."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from bivelio_server.ai.port import Embedded
from bivelio_server.kit.errors import IntegrationFailed
from tests.acceptance.installation import until
from tests.boxes.ingestion.arranging import Ingesting, paragraphs
from tests.reading import files
from tests.reading.test_hostile import docx_bomb, entity_bomb, locked
from tests.scripted import SCRIPTS, Scripted
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

NOTHING = {"box_pages": 0, "box_chunks": 0, "box_segments": 0}


class Held(Scripted):
    """Embeds one batch, and the others once it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.waits, self.goes_on = asyncio.Event(), asyncio.Event()

    async def embed(self, texts: Sequence[str], kind: Any, model: str | None = None) -> Embedded:
        if self.embedded:
            self.waits.set()
            await self.goes_on.wait()
        return await super().embed(texts, kind, model)


@pytest.fixture
async def held(acme: Organization, box: Ingesting) -> AsyncIterator[Held]:
    ai = Held()
    SCRIPTS.give(acme.id, ai)
    yield ai
    ai.goes_on.set()


@pytest.mark.parametrize("cancelled", [True, False])
async def test_deleted_meanwhile(box: Ingesting, held: Held, cancelled: bool) -> None:
    file_id = await box.add(paragraphs(range(40)))
    await held.waits.wait()
    assert 0.1 < box.file(file_id)["progress"] < 1

    await box.delete(file_id, cancelled=cancelled)
    held.goes_on.set()
    await until(lambda: cancelled or box.traces(file_id) == NOTHING)
    await box.ended(await box.add("Otro fichero."))

    assert box.file(file_id)["ready_revision"] is None
    assert box.traces(file_id)["box_segments"] == 0


async def test_replaced_meanwhile(box: Ingesting, held: Held) -> None:
    file_id = await box.add(paragraphs(range(40)))
    await held.waits.wait()

    await box.replace(file_id, paragraphs([1, 2, 50]))
    held.goes_on.set()
    row = await box.ended(file_id)

    assert (row["ready_revision"], row["chunk_count"]) == (2, 3)
    assert box.traces(file_id) == {"box_pages": 1, "box_chunks": 3, "box_segments": 1}


async def test_many_at_once(box: Ingesting, model: Scripted) -> None:
    file_ids = [await box.add(paragraphs([number, number + 1, 3]), f"{number}.txt") for number in range(6)]
    for file_id in file_ids[:3]:
        await box.replace(file_id, paragraphs([7, 8]))
    for file_id in file_ids[5:]:
        await box.delete(file_id)

    rows = [await box.ended(file_id) for file_id in file_ids[:5]]

    assert sorted(row["seq"] for row in rows) == sorted({row["seq"] for row in rows})
    for row in rows:
        assert box.traces(row["id"]) == {"box_pages": 1, "box_chunks": row["chunk_count"], "box_segments": 1}
        assert list(box.segments(row["id"])) == [(1, row["seq"])]


@pytest.mark.parametrize(
    ("make", "name", "constraint"),
    [
        (locked, "x.pdf", "encrypted"), (docx_bomb, "x.docx", None), (entity_bomb, "x.xml", None),
        (lambda: b"\x00\x01\x02", "x.bin", "mime_type"), (lambda: b"   \n ", "x.txt", "empty"),
        (lambda: files.empty_pages(1), "x.pdf", "empty"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_leaves_nothing(
    box: Ingesting, make: Callable[[], bytes], name: str, constraint: str | None
) -> None:
    row = await box.ended(await box.add(make(), name), "failed")

    assert row["error"]["code"] == "VALIDATION_ERROR"
    assert row["error"]["field"] == "content_base64"
    assert constraint in (None, row["error"]["constraint"])
    assert set(row["error"]["message"]) == {"es", "en"}
    assert box.traces(row["id"]) == NOTHING


async def test_a_failed_replacement_leaves_what_was_searched(box: Ingesting) -> None:
    file_id = (await box.ended(await box.add("La garantía es de dos años.")))["id"]

    await box.replace(file_id, b"\x00\x01\x02")
    row = await box.ended(file_id, "failed")

    assert (row["ready_revision"], row["seq"]) == (1, 1)
    assert box.traces(file_id) == {"box_pages": 1, "box_chunks": 1, "box_segments": 1}


async def test_a_provider_that_is_away_is_waited_for(box: Ingesting, acme: Organization) -> None:
    class Away(Scripted):
        failures = 1

        async def embed(self, texts: Sequence[str], kind: Any, model: str | None = None) -> Embedded:
            if self.failures:
                self.failures -= 1
                raise IntegrationFailed
            return await super().embed(texts, kind, model)

    SCRIPTS.give(acme.id, Away())

    row = await box.ended(await box.add("La garantía es de dos años."))

    assert row["error"] is None


async def test_one_with_many_files_does_not_delay_another(box: Ingesting, held: Held, rival: Organization) -> None:
    for number in range(20):
        await box.add(paragraphs(range(number, number + 40)), f"{number}.txt")
    await held.waits.wait()
    SCRIPTS.give(rival.id, Scripted())
    other = await Ingesting(rival, box.services).create()

    row = await other.ended(await other.add("Una nota."), seconds=10)

    assert row["state"] == "ready"
