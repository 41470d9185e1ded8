"""Cutting a text: exact places, pages, headings, and nothing that a model would not take whole."""

import json
import random

import pytest

from bivelio_server.ai.embedded.adapter import EmbeddedAI
from bivelio_server.boxes.ingestion.chunking import chunks_of
from bivelio_server.boxes.ingestion.chunks import in_context
from bivelio_server.boxes.ingestion.headings import Headings
from bivelio_server.boxes.ingestion.pages import pages_of
from bivelio_server.reading.port import Box, Page, Reading, Word

NOWHERE = Box(0, 0, 0, 0)


def reading(*pages: str) -> Reading:
    made = [
        Page(number, 595, 842, "text", [Word(word, NOWHERE) for word in page.split(" ")])
        for number, page in enumerate(pages, 1)
    ]
    return Reading("application/pdf", len(pages), made, "\n\n".join(pages).strip(), (), "test")


def fits(text: str) -> bool:
    return len(text) <= 2000


def test_each_page_has_its_own_text() -> None:
    assert pages_of(reading("uno dos\ntres", "", "cuatro cinco", "")) == ["uno dos\ntres", "", "cuatro cinco", ""]


def test_what_the_database_cannot_keep_is_left_out() -> None:
    assert pages_of(Reading("text/plain", 1, (), "a\0b\r\nc\ud800", (), "test")) == ["ab\nc?"]


def test_places_are_exact_and_pages_known() -> None:
    chance = random.Random(7)
    words = ["casa", "señal", "año", "😀", "caldera", "presión.", "fin.\n"]
    pages = [" ".join(chance.choices(words, k=chance.randint(0, 900))).strip() for _ in range(12)]
    whole = "\n\n".join(pages)

    chunks = chunks_of(pages, "manual.pdf", fits)

    begins = [len("\n\n".join(pages[:number])) + (2 if number else 0) for number in range(len(pages))]
    for chunk in chunks:
        assert whole[chunk.offset_from : chunk.offset_to] == chunk.text
        assert len(chunk.text) <= 1100
        assert begins[chunk.page_from - 1] <= chunk.offset_from
        assert chunk.page_from == len(begins) or chunk.offset_from < begins[chunk.page_from]
        assert begins[chunk.page_to - 1] <= chunk.offset_to - 1
    assert "".join(whole.split()) == "".join("".join(chunk.text.split()) for chunk in chunks)


def test_nothing_is_longer_than_the_model_takes(tmp_path_factory: pytest.TempPathFactory) -> None:
    chance = random.Random(3)
    ai = EmbeddedAI(tmp_path_factory.mktemp("models"))
    texts = [
        "".join(chance.choices("0123456789abcdef", k=4000)),
        " ".join(str(chance.random()) for _ in range(300)),
        "".join(chance.choices("漢字仮名交文章検索", k=3000)),
        "ﷺ" * 2000,
        "🙈🚒🧯" * 700,
        json.dumps({f"k{n}": [n, -n, None, True] for n in range(200)}),
    ]

    for text in texts:
        chunks = chunks_of([text], "raro.txt", ai.fits)
        assert all(text[chunk.offset_from : chunk.offset_to] == chunk.text for chunk in chunks)
        for chunk in chunks:
            assert ai.fits(in_context("raro.txt", chunk.heading, chunk.text))
        assert sum(len(chunk.text) for chunk in chunks) >= 0.98 * len(text.replace(" ", ""))


@pytest.mark.parametrize(
    ("line", "is_heading"),
    [
        ("## Garantía ##", True), ("CONDICIONES GENERALES", True), ("Artículo 12. Plazos de entrega", True),
        ("3.1 Objeto del contrato", True), ("Capítol 2 Dels drets", True), ("IV. Garantías", True),
        ("La caldera se revisa cada año.", False), ("3 cajas de tornillos a 12", False), ("B12345674", False),
        ("| Total | 12 |", False), ("hola", False),
    ],
)  # fmt: skip
def test_headings_show_themselves(line: str, is_heading: bool) -> None:
    text = f"Antes.\n\n{line}\n\nDespués."

    found = Headings(text)

    assert found.at(0) is None
    assert (found.at(len(text) - 2) is not None) is is_heading


def test_a_chunk_is_told_where_it_stands() -> None:
    text = "OBJETO\n\n" + "Uno dos tres. " * 80 + "\n\nPLAZOS\n\n" + "Cuatro cinco seis. " * 80
    chunks = chunks_of([text], "contrato.pdf", fits)

    assert chunks[0].heading == "OBJETO"
    assert chunks[-1].heading == "PLAZOS"
    assert in_context("contrato.pdf", "PLAZOS", "texto") == "contrato.pdf › PLAZOS\ntexto"
