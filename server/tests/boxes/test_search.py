"""boxes.search: what is found, in which order, and how much of it."""

import psycopg
import pytest

from tests.boxes.searching import refused, search, texts
from tests.boxes.stocking import Chunk, Stock
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_a_passage_is_found_with_its_file_page_and_place(acme: Organization, box: Stock) -> None:
    first = "caldera a una presión de trabajo de 1,5 bar"
    file_id = box.add("manual.pdf", Chunk(first, page=2), Chunk("garantía de dos años", page=3))

    [found, other] = await search(acme.live, box, "caldera")

    assert found == {
        "text": first, "score": found["score"], "file_id": file_id, "file_name": "manual.pdf", "page_from": 2,
        "page_to": 2, "offset_from": 0, "offset_to": len(first), "citation": "manual.pdf, p. 2",
    }  # fmt: skip
    assert 1 >= found["score"] > other["score"] >= 0


async def test_meaning_and_words_both_find(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", "caldera sin palabras en común", "otra cosa sobre presupuestos", "tercera cosa")

    assert await texts(acme.live, box, "caldera xyz", top_k=1) == ["caldera sin palabras en común"]
    assert await texts(acme.live, box, "desconocido presupuesto", top_k=1) == ["otra cosa sobre presupuestos"]


async def test_an_empty_box_answers_nothing(acme: Organization, box: Stock) -> None:
    assert await search(acme.live, box, "caldera") == []


async def test_as_many_results_as_asked_for_whatever_is_left_out(acme: Organization, box: Stock) -> None:
    box.add("copias.pdf", *["caldera"] * 400)
    box.add("otros.pdf", *[f"tema{n} de otra cosa" for n in range(60)])

    found = await texts(acme.live, box, "caldera", top_k=50)

    assert len(found) == 50
    assert found[0] == "caldera"
    assert len(set(found)) == 50


async def test_no_more_results_than_there_are(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", *[f"tema{n}" for n in range(7)])

    assert len(await texts(acme.live, box, "caldera", top_k=50)) == 7


async def test_only_the_files_asked_for_are_looked_in(acme: Organization, box: Stock) -> None:
    files = [box.add(f"{n}.pdf", *[f"caldera del piso {n}, punto {m}" for m in range(30)]) for n in range(5)]

    found = await search(acme.live, box, "caldera", top_k=50, sources=[files[3], files[1]])

    assert len(found) == 50
    assert {result["file_id"] for result in found} == {files[1], files[3]}
    assert await search(acme.live, box, "caldera", sources=["file_unknown", "no es un id"]) == []
    assert await search(acme.live, box, "caldera", sources=[]) == []


async def test_results_below_the_least_score_are_left_out(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", "caldera", "tema1", "tema2")
    scores = [result["score"] for result in await search(acme.live, box, "caldera")]

    assert await texts(acme.live, box, "caldera", min_score=scores[0]) == ["caldera"]
    assert await texts(acme.live, box, "tema3", min_score=0.99) == []


async def test_the_same_text_in_two_files_is_one_result(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", "caldera  a  gas", "otra cosa")
    box.add("b.pdf", "caldera a\ngas")

    found = await search(acme.live, box, "caldera")

    assert [result["file_name"] for result in found] == ["a.pdf", "a.pdf"]


async def test_of_passages_that_overlap_the_best_is_told(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", Chunk("caldera de gas y bomba", offset=0), Chunk("de gas y bomba de calor", offset=8))
    box.add("b.pdf", Chunk("quemador de gasóleo", offset=0), Chunk("gasóleo en tanque aparte", offset=12))

    found = await texts(acme.live, box, "caldera")

    assert found[0] == "caldera de gas y bomba"
    assert len(found) == 3


async def test_neighbours_come_with_a_passage_and_its_pages(acme: Organization, box: Stock) -> None:
    words = [f"tema{n} en una frase" for n in range(10)]
    box.add("a.pdf", *[Chunk(text, page=1 + n // 2) for n, text in enumerate(words)])

    [found] = await search(acme.live, box, "tema4", neighbours=2, top_k=1)

    assert found["text"] == "\n\n".join(words[2:7])
    assert (found["page_from"], found["page_to"], found["citation"]) == (2, 4, "a.pdf, p. 2-4")
    assert found["offset_to"] - found["offset_from"] == len(found["text"])


async def test_neighbours_that_meet_are_one_result(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", "caldera uno", "nada", "caldera dos", *[f"tema{n}" for n in range(5)])
    box.add("b.pdf", "caldera tres")

    found = await texts(acme.live, box, "caldera", neighbours=1, top_k=2)

    assert found[0] == "caldera uno\n\nnada\n\ncaldera dos\n\ntema0"
    assert found[1] == "caldera tres"


async def test_neighbours_that_overlap_are_told_once(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", Chunk("caldera de gas y", offset=0), Chunk("y bomba de calor", offset=15))

    [found] = await search(acme.live, box, "caldera", neighbours=1)

    assert found["text"] == "caldera de gas y bomba de calor"


async def test_what_cannot_be_asked_names_its_field(acme: Organization, box: Stock) -> None:
    for wrong in ({"top_k": 0}, {"top_k": 51}, {"neighbours": 4}, {"min_score": 2.0}, {"sources": "a"}):
        reply = await acme.live.post("/v1/boxes/search", {"box_id": box.id, "query": "caldera", **wrong})

        assert reply.status_code == 400
        assert reply.json()["error"]["details"]["field"] == next(iter(wrong))
    assert await refused(acme.live, box, "  ") == (400, "VALIDATION_ERROR")
    assert await refused(acme.live, box, "") == (400, "VALIDATION_ERROR")


async def test_a_search_is_no_entry_of_the_audit_log(acme: Organization, box: Stock, owner: psycopg.Connection) -> None:
    box.add("a.pdf", "caldera")

    await search(acme.live, box, "caldera")

    assert owner.execute("select from audit_log where operation = 'boxes.search'").fetchall() == []
