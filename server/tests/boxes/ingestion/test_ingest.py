"""From a file to what is searched: pages, chunks with their exact places, vectors, one segment, `ready`."""

import numpy as np
import pytest

from bivelio_server.boxes.ingestion.chunks import in_context
from tests.boxes.ingestion.arranging import Ingesting, paragraphs
from tests.reading import files
from tests.scripted import Scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

MAIL = """From: Ana <ana@example.com>\r
To: Luis <luis@example.com>\r
Subject: Revision de la caldera\r
Content-Type: text/plain; charset=utf-8\r
\r
La caldera se revisa el martes por la tarde.\r
"""


async def test_a_text_becomes_searchable(box: Ingesting, model: Scripted) -> None:
    text = f"GARANTÍA\n\n{paragraphs(range(3))}"

    row = await box.ended(await box.add(text))

    chunks, [(number, segment)] = box.chunks(row["id"]), box.segments(row["id"]).items()
    assert (row["progress"], row["page_count"], row["chunk_count"], row["error"]) == (1.0, 1, len(chunks), None)
    assert (row["ready_revision"], row["seq"], row["version"]) == (1, 1, 2)
    assert number == (1, 1)
    assert (box.index()["version"], box.index()["model"]) == (1, model.embedding_model)
    assert box.pages(row["id"]) == [text]
    assert [text[chunk["offset_from"] : chunk["offset_to"]] for chunk in chunks] == [chunk["text"] for chunk in chunks]
    assert {chunk["heading"] for chunk in chunks} == {"GARANTÍA"}
    assert [given for _, given in model.embedded] == [
        in_context("manual.txt", chunk["heading"], chunk["text"]) for chunk in chunks
    ]
    assert model.embedded[0][1].startswith("manual.txt › GARANTÍA\n")
    exact = np.array([box.vectors(model.embedding_model)[bytes.fromhex(chunk["digest"][2:])] for chunk in chunks])
    assert np.abs(segment.vectors * segment.scales[:, None] - exact).max() < 0.01
    assert len(segment.starts) == len(chunks) + 1


async def test_a_pdf_keeps_its_pages(box: Ingesting) -> None:
    lines = [[f"Página {page}, línea {line} de la garantía" for line in range(30)] for page in range(1, 4)]
    pdf = files.pdf(*(lambda canvas, lines=lines[page]: files.invoice(canvas, lines) for page in range(3)))

    row = await box.ended(await box.add(pdf, "garantia.pdf"))

    pages, chunks = box.pages(row["id"]), box.chunks(row["id"])
    whole = "\n\n".join(pages)
    assert row["page_count"] == 3
    assert pages == ["\n".join(each) for each in lines]
    for chunk in chunks:
        assert whole[chunk["offset_from"] : chunk["offset_to"]] == chunk["text"]
        for page in (chunk["page_from"], chunk["page_to"]):
            assert f"Página {page}," in chunk["text"]
    assert {chunk["page_from"] for chunk in chunks} == {1, 2, 3}


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (files.docx("Condiciones de la garantía", "Dos años."), "garantia.docx", "Dos años."),
        (MAIL.encode(), "correo.eml", "el martes por la tarde"),
        ("Compte amb l'aigua. Ça va?\r\nAdeus".encode("latin-1"), "nota.txt", "l'aigua. Ça va?\nAdeus"),
    ],
)
async def test_other_kinds(box: Ingesting, content: bytes, name: str, said: str) -> None:
    row = await box.ended(await box.add(content, name))

    [page], [chunk] = box.pages(row["id"]), box.chunks(row["id"])
    assert said in page
    assert page[chunk["offset_from"] : chunk["offset_to"]] == chunk["text"]
    assert (chunk["page_from"], chunk["page_to"]) == (1, 1)


async def test_the_same_content_is_not_embedded_again(box: Ingesting, model: Scripted) -> None:
    first = await box.ended(await box.add(paragraphs(range(5))))
    count = len(model.embedded)

    await box.replace(first["id"], paragraphs(range(5)))
    row = await box.ended(first["id"])
    await box.ended(await box.add(paragraphs(range(5))))

    assert len(model.embedded) == count
    assert (row["ready_revision"], row["seq"], box.index()["version"]) == (2, 2, 3)
    assert {chunk["revision"] for chunk in box.chunks(row["id"])} == {2}
    assert list(box.segments(row["id"])) == [(1, 2)]


async def test_of_a_change_only_what_is_new_is_embedded(box: Ingesting, model: Scripted) -> None:
    first = await box.ended(await box.add(paragraphs(range(8))))
    model.embedded.clear()

    await box.replace(first["id"], paragraphs([0, 1, 2, 99, 4, 5, 6, 7]))
    await box.ended(first["id"])

    [(_, given)] = model.embedded
    assert "palabra99x" in given


async def test_what_a_text_repeats_is_embedded_once(box: Ingesting, model: Scripted) -> None:
    row = await box.ended(await box.add(paragraphs([7, 7, 7, 7])))

    assert (row["chunk_count"], len(model.embedded)) == (4, 1)
    assert box.traces(row["id"]) == {"box_pages": 1, "box_chunks": 4, "box_segments": 1}


async def test_what_was_asked_of_the_model_is_counted(box: Ingesting, model: Scripted) -> None:
    await box.ended(await box.add(paragraphs(range(3))))

    counted = box.rows("select engine, model, calls, prompt_tokens from ai_usage where org_id = %s", box.caller.org_id)
    assert counted == [(model.engine, model.embedding_model, 1, 3)]
