"""The indexes that a process holds: loaded once, bounded, let go of."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
import psutil
import pytest

from bivelio_server.boxes.retrieval import loading, queries
from bivelio_server.boxes.retrieval.cache import BoxIndexes
from bivelio_server.boxes.retrieval.searching import Found, Question, embed, prepare, search
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from tests.boxes.stocking import Stock, WordsModel, a_box
from tests.world import Organization

pytestmark = pytest.mark.anyio

ORIGIN = Origin(Door.http, None, None)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The boxes that were listed to be loaded, and `read` for each batch of segments."""
    seen: list[str] = []
    list_them, read = queries.listed, queries.segments

    async def listing(session: Any, caller: Any, box_id: str) -> Any:
        seen.append(box_id)
        return await list_them(session, caller, box_id)

    async def reading(*given: Any) -> Any:
        seen.append("read")
        return await read(*given)

    monkeypatch.setattr(queries, "listed", listing)
    monkeypatch.setattr(queries, "segments", reading)
    return seen


def with_memory(services: Services, limit: int) -> Services:
    return replace(services, box_indexes=BoxIndexes(limit))


async def ask(services: Services, organization: Organization, box: Stock, text: str, **asked: Any) -> list[Found]:
    caller = Caller(organization.id, Environment.live, f"user:{uuid4()}", organization.owner_id, frozenset({"read"}))
    async with transaction(caller, services, ORIGIN) as context:
        prepared = await prepare(context, box.id, BoxRole.viewer)
    vectors = await embed(services, caller, prepared, text)
    async with transaction(caller, services, ORIGIN) as context:
        return await search(context, prepared, vectors, Question(text, **asked))


async def test_a_hundred_searches_load_a_box_once(
    services: Services, acme: Organization, box: Stock, listed: list[str]
) -> None:
    box.add("a.pdf", "caldera")
    fresh = with_memory(services, 10**8)

    found = await asyncio.gather(*(ask(fresh, acme, box, "caldera") for _ in range(100)))

    assert [[each.text for each in one] for one in found] == [["caldera"]] * 100
    assert listed == [box.id, "read"]


async def test_only_what_is_new_is_read(
    services: Services, acme: Organization, box: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = with_memory(services, 10**8)
    box.add("a.pdf", "caldera uno")
    await ask(fresh, acme, box, "caldera")
    asked: list[Any] = []
    read = queries.segments

    async def reading(*given: Any) -> Any:
        asked.append(given[-1])
        return await read(*given)

    monkeypatch.setattr(queries, "segments", reading)
    gone = box.add("b.pdf", "caldera dos")
    found = await ask(fresh, acme, box, "caldera")
    box.delete(gone)
    left = await ask(fresh, acme, box, "caldera")

    assert len(found) == 2
    assert [each.text for each in left] == ["caldera uno"]
    assert asked == [[2]]


async def test_the_boxes_asked_last_are_held(
    services: Services, acme: Organization, words: WordsModel, listed: list[str]
) -> None:
    boxes = [a_box(acme) for _ in range(3)]
    for number, box in enumerate(boxes):
        box.add("a.pdf", *[f"caldera {number} {n}" for n in range(20)])
    one = with_memory(services, 10**8)
    await ask(one, acme, boxes[0], "caldera")
    fresh = with_memory(services, int(2.5 * one.box_indexes.bytes))

    listed.clear()
    for number in (0, 1, 0, 2, 0, 1):
        await ask(fresh, acme, boxes[number], f"caldera {number}")

    assert [each for each in listed if each != "read"] == [boxes[n].id for n in (0, 1, 2, 1)]
    assert fresh.box_indexes.boxes == 2
    assert fresh.box_indexes.bytes <= 2.5 * one.box_indexes.bytes


async def test_a_box_larger_than_the_memory_is_answered_in_blocks(
    services: Services, acme: Organization, box: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        box.add(f"{number}.pdf", *[f"tema{number} punto{n} de la caldera" for n in range(10)])
    monkeypatch.setattr(loading, "_BATCH_BYTES", 4000)
    large, small = with_memory(services, 10**8), with_memory(services, 1000)

    for text in ("tema3 punto4", "caldera", "punto7"):
        whole = await ask(large, acme, box, text, top_k=20)
        assert await ask(small, acme, box, text, top_k=20) == whole
        assert len(whole) == 20
    assert (small.box_indexes.boxes, small.box_indexes.bytes) == (0, 0)


async def test_searches_of_boxes_that_are_not_there_yet_do_not_wait_for_each_other(
    services: Services, acme: Organization, words: WordsModel
) -> None:
    """More of them at once than there are connections."""
    boxes = [a_box(acme) for _ in range(20)]
    for box in boxes:
        box.add("a.pdf", f"caldera de {box.id}")
    fresh = with_memory(services, 10**8)

    found = await asyncio.gather(*(ask(fresh, acme, box, "caldera") for box in boxes for _ in range(3)))

    assert [[each.text for each in one] for one in found] == [
        [f"caldera de {box.id}"] for box in boxes for _ in range(3)
    ]


async def test_memory_is_given_back(services: Services, acme: Organization, words: WordsModel) -> None:
    """Boxes of 20 MB, of which one fits: the process does not grow with each that it lets go of."""
    boxes = [a_box(acme) for _ in range(2)]
    for box in boxes:
        fill(box, 30_000)
    fresh = with_memory(services, 25_000_000)
    await ask(fresh, acme, boxes[0], "caldera")
    at_first = psutil.Process().memory_info().rss

    for _ in range(6):
        for box in boxes:
            await ask(fresh, acme, box, "caldera")

    assert 15_000_000 < fresh.box_indexes.bytes < 25_000_000
    assert psutil.Process().memory_info().rss - at_first < 30_000_000
    fresh.box_indexes.clear()
    loading.give_back()
    assert psutil.Process().memory_info().rss - at_first < 5_000_000


def fill(box: Stock, chunks: int) -> None:
    """A large file, as far as the index knows."""
    file_id = box.add("large.pdf", "caldera")
    draw = np.random.default_rng(1)
    starts = np.arange(0, 40 * (chunks + 1), 40, "<u4")
    numbers = draw.integers(0, 50_000, int(starts[-1])).astype("<u4")
    counts = np.ones(int(starts[-1]), np.uint8)
    small = draw.integers(-127, 127, (chunks, 512), dtype=np.int8)
    box.run(
        "update box_segments set chunks = %(chunks)s, vectors = %(vectors)s, terms = %(terms)s"
        " where file_id = %(file_id)s",
        file_id=file_id, chunks=chunks, vectors=np.ones(chunks, "<f4").tobytes() + small.tobytes(),
        terms=starts.tobytes() + numbers.tobytes() + counts.tobytes(),
    )  # fmt: skip
