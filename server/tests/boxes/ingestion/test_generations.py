"""Another embedding model is configured: boxes go over to it beside the search, at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bivelio_server.ai.port import Embedded
from bivelio_server.boxes.generations.following import follow_model
from bivelio_server.boxes.generations.unused import remove_unused
from bivelio_server.kit.clock import MovableClock
from tests.acceptance.installation import until
from tests.boxes.ingestion.arranging import Ingesting, paragraphs
from tests.scripted import SCRIPTS, Scripted
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

OLD, NEW = "scripted-e1", "scripted-e2"


class Slow(Scripted):
    """Embeds passages by its new model once it may."""

    def __init__(self, *former: str) -> None:
        super().__init__(embedding_model=NEW, former_models=set(former))
        self.asked, self.goes_on = asyncio.Event(), asyncio.Event()

    async def embed(self, texts: Sequence[str], kind: Any, model: str | None = None) -> Embedded:
        if model == NEW:
            self.asked.set()
            await self.goes_on.wait()
        return await super().embed(texts, kind, model)


async def switched(box: Ingesting, model: str = NEW) -> dict[str, Any]:
    """The box's index once it has that model."""
    await until(lambda: (box.index()["model"], box.index()["next_model"]) == (model, None))
    return box.index()


def vectors_and_segments_agree(box: Ingesting, file_id: str, model: str) -> bool:
    digests = {bytes.fromhex(chunk["digest"][2:]) for chunk in box.chunks(file_id)}
    return digests <= box.vectors(model).keys() and len(box.segments(file_id)) == 1


async def test_a_box_goes_over_at_once(box: Ingesting, acme: Organization) -> None:
    rows = [await box.ended(await box.add(paragraphs([n, n + 1]), f"{n}.txt")) for n in range(3)]
    ai = Slow(OLD)
    SCRIPTS.give(acme.id, ai)

    assert await follow_model(box.services, box.caller) == 1
    await ai.asked.wait()

    index = box.index()
    assert (index["model"], index["next_model"], index["generation"], index["next_generation"]) == (OLD, NEW, 1, 2)
    assert all((1, row["seq"]) in box.segments(row["id"]) for row in rows)
    ai.goes_on.set()
    index = await switched(box)
    assert (index["generation"], index["version"]) == (2, 4)
    for row in rows:
        assert list(box.segments(row["id"])) == [(2, row["seq"])]
        assert vectors_and_segments_agree(box, row["id"], NEW)
    await remove_unused(box.services, box.caller)
    assert box.vectors(OLD) == {}
    assert len(box.vectors(NEW)) == 6


async def test_what_is_added_meanwhile_is_searched_by_both(box: Ingesting, acme: Organization) -> None:
    await box.ended(await box.add(paragraphs([1, 2])))
    ai = Slow(OLD)
    SCRIPTS.give(acme.id, ai)
    await follow_model(box.services, box.caller)
    await ai.asked.wait()

    added = [await box.add(paragraphs([n, n + 1]), f"{n}.txt") for n in range(10, 13)]
    gone = await box.add(paragraphs([20]), "fuera.txt")
    await box.delete(gone)
    ai.goes_on.set()
    rows = [await box.ended(file_id) for file_id in added]
    await switched(box)

    for row in rows:
        assert vectors_and_segments_agree(box, row["id"], NEW)
        assert list(box.segments(row["id"])) == [(2, row["seq"])]


async def test_without_the_former_model_new_files_wait_for_the_next(
    box: Ingesting, acme: Organization, clock: MovableClock
) -> None:
    await box.ended(await box.add(paragraphs([1, 2])))
    ai = Slow()
    SCRIPTS.give(acme.id, ai)

    added = await box.add(paragraphs([3]), "nuevo.txt")
    await ai.asked.wait()
    assert box.index()["model"] == OLD
    assert box.traces(added)["box_segments"] == 0
    ai.goes_on.set()
    await switched(box)
    clock.advance(seconds=30)
    row = await box.ended(added)

    assert list(box.segments(added)) == [(2, row["seq"])]


async def test_going_back_embeds_nothing(box: Ingesting, acme: Organization, model: Scripted) -> None:
    row = await box.ended(await box.add(paragraphs([1, 2])))
    ai = Slow(OLD)
    SCRIPTS.give(acme.id, ai)
    await follow_model(box.services, box.caller)
    await ai.asked.wait()
    SCRIPTS.give(acme.id, model)
    count = len(model.embedded)

    await follow_model(box.services, box.caller)
    ai.goes_on.set()

    index = await switched(box, OLD)
    assert (index["generation"], index["version"], len(model.embedded)) == (1, 1, count)
    assert list(box.segments(row["id"])) == [(1, 1)]


async def test_only_vectors_that_nobody_needs_go(box: Ingesting, model: Scripted) -> None:
    file_id = (await box.ended(await box.add(paragraphs([1, 2, 3]))))["id"]
    await box.replace(file_id, paragraphs([3, 4]))
    await box.ended(file_id)
    assert len(box.vectors(OLD)) == 4

    removed = await remove_unused(box.services, box.caller)

    assert removed == 2
    assert vectors_and_segments_agree(box, file_id, OLD)
