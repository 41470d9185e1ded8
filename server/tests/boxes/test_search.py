"""boxes.search: what is found, in which order, and how much of it."""

from typing import Any

import pytest

from tests.boxes.stocking import Chunk, Stock, WordsModel, a_box
from tests.scripted import SCRIPTS
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


@pytest.fixture
def model(acme: Organization) -> WordsModel:
    model = WordsModel()
    SCRIPTS.give(acme.id, model)
    return model


@pytest.fixture
def box(acme: Organization, model: WordsModel) -> Stock:
    return a_box(acme)


async def search(client: Client, box: Stock, query: str, **asked: Any) -> list[Json]:
    found = await client.call("/v1/boxes/search", {"box_id": box.id, "query": query, **asked})
    assert found["units_consumed"] == 1
    results: list[Json] = found["results"]
    return results


def texts(results: list[Json]) -> list[str]:
    return [result["text"] for result in results]


async def test_a_passage_is_found_with_its_file_page_and_place(acme: Organization, box: Stock) -> None:
    first = "caldera: la presión de trabajo es de 1,5 bar"
    file_id = box.add("manual.pdf", Chunk(first, page=2), Chunk("garantía de dos años", page=3))

    [found, other] = await search(acme.live, box, "caldera")

    assert found == {
        "text": first, "score": found["score"], "file_id": file_id, "file_name": "manual.pdf", "page_from": 2,
        "page_to": 2, "offset_from": 0, "offset_to": len(first), "citation": "manual.pdf, p. 2",
    }  # fmt: skip
    assert 1 >= found["score"] > other["score"] >= 0


async def test_meaning_and_words_both_find(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", "caldera sin palabras en común", "otra cosa sobre presupuestos", "tercera cosa")

    by_meaning = await search(acme.live, box, "caldera xyz", top_k=1)
    by_words = await search(acme.live, box, "desconocido presupuesto", top_k=1)

    assert texts(by_meaning) == ["caldera sin palabras en común"]
    assert texts(by_words) == ["otra cosa sobre presupuestos"]


async def test_an_empty_box_answers_nothing(acme: Organization, box: Stock) -> None:
    assert await search(acme.live, box, "caldera") == []
