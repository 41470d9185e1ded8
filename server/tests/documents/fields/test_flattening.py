"""Pages that were photographed askew: rules see them laid flat, and places are those of the page that is shown."""

from dataclasses import replace

import pytest

from bivelio_server.documents.fields import extract
from bivelio_server.documents.fields.flattening import inverse, laid_flat, shown
from bivelio_server.reading.port import Box, Flattening, Reading, Word
from tests.documents.fields.paper import paper

#: Rows rise to the right by a tenth, and the more the further down.
LEANING = Flattening(1.0, 0.02, 3.0, 0.1, 1.05, -4.0, 1e-4, 5e-5, 1.0)
INVOICE = """
FACTURA  F26-00017            Fecha: 03/04/2026
Talleres Sol S.L.             CIF: B12345674

Descripción              Cantidad    Precio    Importe
Revisión de caldera             2     50,00     100,00
Cambio de aceite                1     30,00      30,00

Base imponible                                  130,00
IVA 21%                                          27,30
TOTAL FACTURA                                   157,30 €
"""


def photographed(flat: Reading) -> Reading:
    """The same page as a camera beside it sees it."""
    page = flat.pages[0]
    words = [replaced(word, shown(word.box, LEANING)) for word in page.words]
    return Reading(flat.mime_type, 1, [replace(page, words=words, flattening=LEANING)], flat.text, (), flat.engine)


def replaced(word: Word, box: Box) -> Word:
    return Word(word.text, box, word.confidence)


def test_a_box_finds_its_way_back() -> None:
    word = Word("TOTAL", Box(100, 300, 160, 310))

    again = laid_flat(replaced(word, shown(word.box, LEANING)), LEANING)

    assert again.box == pytest.approx(word.box, abs=0.2)


def test_items_are_read_from_rows_that_lean() -> None:
    flat = paper(INVOICE, source="ocr", confidence=0.99)

    extraction = extract(photographed(flat), "invoice")

    assert extraction.extracted == extract(flat, "invoice").extracted
    assert len(extraction.extracted["line_items"]) == 2


def test_places_are_those_of_the_page_that_is_shown() -> None:
    photo = photographed(paper(INVOICE, source="ocr", confidence=0.99))

    total = next(one for one in extract(photo, "invoice").fields if one.path == "total")

    there = next(word.box for word in photo.pages[0].words if word.text == "157,30")
    assert total.box is not None
    assert (total.box.x0, total.box.y1) == (pytest.approx(there.x0, abs=1), pytest.approx(there.y1, abs=1))


def test_a_flattening_without_a_way_back_harms_nothing() -> None:
    nothing = Flattening(*[0.0] * 9)

    assert inverse(nothing) == nothing
    assert shown(laid_flat(Word("x", Box(1, 2, 3, 4)), nothing).box, nothing) == Box(0, 0, 0, 0)
