"""What a PDF says of itself: words, where they stand, and the files attached to it."""

from functools import partial

import pytest
from reportlab.lib import pdfencrypt
from reportlab.pdfgen.canvas import Canvas

from bivelio_server.reading.port import Page, Word
from bivelio_server.reading.process import ChildReader
from tests.reading import files

pytestmark = pytest.mark.anyio


def word(page: Page, text: str) -> Word:
    return next(word for word in page.words if word.text == text)


async def test_the_text_layer_is_read_as_it_is(reader: ChildReader) -> None:
    reading = await reader.read(files.pdf(), filename="factura.pdf")

    assert (reading.mime_type, reading.page_count, reading.engine) == ("application/pdf", 1, "pdfium")
    assert reading.text.splitlines() == [" ".join(line.split()) for line in files.LINES]
    page = reading.pages[0]
    assert (page.number, page.source, page.rotation) == (1, "text", 0)
    assert (round(page.width), round(page.height)) == (595, 842)


async def test_every_word_has_its_place_in_points_from_the_upper_left_corner(reader: ChildReader) -> None:
    reading = await reader.read(files.pdf())

    box = word(reading.pages[0], "Factura").box
    assert box.x0 == pytest.approx(72, abs=1)
    assert box.y0 < 842 - 770 < box.y1
    assert word(reading.pages[0], "1.210,00").box.y0 == pytest.approx(box.y0 + 40, abs=1)


@pytest.mark.parametrize("rotation", [90, 180, 270])
async def test_a_page_that_the_file_shows_turned_has_its_places_as_it_is_shown(
    reader: ChildReader, rotation: int
) -> None:
    """The content is written so that it is level once the page is turned as the file says."""

    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(rotation)
        canvas.translate(*{90: (842, 0), 180: (595, 842), 270: (0, 595)}[rotation])
        canvas.rotate(rotation)
        canvas.drawString(50, 100, "Importe")

    page = (await reader.read(files.pdf(draw))).pages[0]

    assert (round(page.width), round(page.height)) == (595, 842)
    box = word(page, "Importe").box
    assert box.x0 == pytest.approx(50, abs=1)
    assert box.y0 < 842 - 100 < box.y1
    assert page.rotation == 0


async def test_a_page_whose_text_runs_upwards_is_turned_until_it_is_level(reader: ChildReader) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.translate(100, 50)
        canvas.rotate(90)
        canvas.drawString(0, 0, "Importe total de la factura")

    page = (await reader.read(files.pdf(draw))).pages[0]

    assert page.rotation == 90
    assert (round(page.width), round(page.height)) == (842, 595)
    box = word(page, "Importe").box
    assert box.x0 == pytest.approx(50, abs=1)
    assert box.y0 < 100 < box.y1


async def test_a_password_for_changing_only_does_not_keep_from_reading(reader: ChildReader) -> None:
    locked = pdfencrypt.StandardEncryption("", ownerPassword="dueño", canModify=0)

    assert "2026-0042" in (await reader.read(files.pdf(encrypt=locked))).text


async def test_files_inside_the_file_come_with_it(reader: ChildReader) -> None:
    reading = await reader.read(files.with_attachment("factur-x.xml", b"<Invoice/>"))

    assert [(each.name, each.content) for each in reading.attachments] == [("factur-x.xml", b"<Invoice/>")]


async def test_what_is_filled_in_a_form_is_part_of_the_text(reader: ChildReader) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(72, 700, "Nombre:")
        canvas.acroForm.textfield(name="nombre", value="Beltrán", x=130, y=690, width=200, height=24)

    assert "Beltrán" in (await reader.read(files.pdf(draw))).text


async def test_pages_come_in_order(reader: ChildReader) -> None:
    reading = await reader.read(files.pdf(*(partial(files.invoice, lines=[f"Hoja {n}"]) for n in "123")))

    assert [page.number for page in reading.pages] == [1, 2, 3]
    assert reading.text == "Hoja 1\n\nHoja 2\n\nHoja 3"
