"""Scans and photos: what their images say, and where. One page each, with the light models: a page takes a second."""

import io
import math
import subprocess
import sys

import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageDraw

from bivelio_server.reading.child import straightening
from bivelio_server.reading.port import Page, Reading
from bivelio_server.reading.process import ChildReader
from tests.reading import files

pytestmark = pytest.mark.anyio

LINES = (
    "Talleres Muñoz e Hijos, S.L.", "NIF B12345674", "Factura 2026-0042", "Revisión de la caldera", "Base imponible",
    "Importe total 1.210,00",
)  # fmt: skip
WORDS = {word for line in LINES for word in line.split()}


@pytest.fixture
def seeing() -> ChildReader:
    return ChildReader("light")


def scan(turned: float = 0.0, form: str = "PNG", **options: object) -> bytes:
    """The page as a scanner at 150 dpi sees it, turned anticlockwise."""
    page = pypdfium2.PdfDocument(files.pdf(lambda canvas: files.invoice(canvas, LINES)))[0]
    image = page.render(scale=150 / 72, grayscale=True).to_pil()
    noise = np.random.default_rng(7).normal(0, 8, (image.height, image.width))
    noisy = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    out = io.BytesIO()
    noisy.rotate(turned, expand=turned % 90 == 0, fillcolor=255, resample=Image.Resampling.BICUBIC).save(
        out, form, dpi=(150, 150), **options
    )
    return out.getvalue()


def seen(reading: Reading) -> set[str]:
    return {word.text for page in reading.pages for word in page.words}


def middle(page: Page, text: str) -> tuple[float, float]:
    box = next(word.box for word in page.words if word.text == text)
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


async def test_a_scan_is_read_with_its_accents_and_its_places(seeing: ChildReader) -> None:
    reading = await seeing.read(scan())

    assert (reading.mime_type, reading.engine) == ("image/png", "paddle-tiny")
    assert len(WORDS & seen(reading)) >= len(WORDS) - 1
    page = reading.pages[0]
    assert (page.source, page.rotation) == ("ocr", 0)
    assert (page.width, page.height) == (pytest.approx(595, abs=2), pytest.approx(842, abs=2))
    assert middle(page, "1.210,00") == (pytest.approx(167, abs=8), pytest.approx(168, abs=4))
    assert all(0 < word.confidence <= 1 for word in page.words)


async def test_a_slanted_scan_is_straightened_and_its_places_are_those_of_the_slanted_page(seeing: ChildReader) -> None:
    reading = await seeing.read(scan(turned=3))

    assert len(WORDS & seen(reading)) >= len(WORDS) - 1
    x, y, slant = 167 - 297.5, 168 - 421, math.radians(3)
    there = x * math.cos(slant) + y * math.sin(slant) + 297.5, y * math.cos(slant) - x * math.sin(slant) + 421
    assert middle(reading.pages[0], "1.210,00") == (pytest.approx(there[0], abs=8), pytest.approx(there[1], abs=4))
    assert reading.pages[0].flattening is not None


@pytest.mark.parametrize("turned", [90, 180])
async def test_a_page_that_lies_on_its_side_or_head_is_turned_the_right_way_up(
    seeing: ChildReader, turned: int
) -> None:
    """That all four ways are told apart is measured by the benchmark."""
    reading = await seeing.read(scan(turned=turned))

    page = reading.pages[0]
    assert page.rotation == turned
    assert page.width < page.height
    assert len(WORDS & seen(reading)) >= len(WORDS) - 1
    assert middle(page, "1.210,00") == (pytest.approx(167, abs=8), pytest.approx(168, abs=4))


async def test_a_pdf_of_a_scan_is_read_from_its_image(seeing: ChildReader) -> None:
    scanned = io.BytesIO()
    Image.open(io.BytesIO(scan())).save(scanned, "PDF", resolution=150)

    reading = await seeing.read(scanned.getvalue())

    assert (reading.mime_type, reading.engine) == ("application/pdf", "pdfium+paddle-tiny")
    assert reading.pages[0].source == "ocr"
    assert len(WORDS & seen(reading)) >= len(WORDS) - 1


async def test_without_ocr_an_image_is_a_page_without_words() -> None:
    reading = await ChildReader("off").read(scan())

    assert (reading.page_count, reading.text, list(reading.pages[0].words)) == (1, "", [])


@pytest.mark.parametrize(
    ("form", "mime_type"), [("JPEG", "image/jpeg"), ("TIFF", "image/tiff"), ("WEBP", "image/webp")]
)
async def test_images_of_these_kinds_are_opened(form: str, mime_type: str) -> None:
    reading = await ChildReader("off").read(files.image((300, 400), form))

    assert reading.mime_type == mime_type
    assert (round(reading.pages[0].width), round(reading.pages[0].height)) == (632, 842)


async def test_a_photo_is_the_way_up_that_its_camera_says() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6

    reading = await ChildReader("off").read(files.image((400, 300), "JPEG", exif=turned))

    assert reading.pages[0].width < reading.pages[0].height


def test_a_sheet_in_a_photo_is_flattened() -> None:
    photo = Image.new("L", (900, 1100), 60)
    corners = (120, 60, 760, 110, 830, 1040, 70, 990)
    photo.paste(240, mask=_polygon(photo.size, corners))

    straight = straightening.straightened(np.asarray(photo))

    assert 600 < straight.image.shape[1] < 800
    assert straight.image.mean() > 230
    place = straight.back @ np.array([0, 0, 1])
    assert place[:2] / place[2] == pytest.approx(corners[:2], abs=6)


def test_a_shadow_is_not_the_edge_of_a_sheet() -> None:
    """Half of the page in the shade: what is bright of it is not all there is."""
    light = np.tile(np.linspace(90, 250, 900), (1100, 1))

    straight = straightening.straightened(light.astype(np.uint8))

    assert straight.image.shape == (1100, 900)
    assert straight.image.mean() > 230


def test_rows_that_run_apart_are_made_level() -> None:
    """As a camera that leans to one side shows them: level at the top of the page, falling at its foot."""
    page = Image.new("L", (1000, 1400), 255)
    rows = [(100 + 60 * row, 100 + 62 * row) for row in range(20)]
    draw = ImageDraw.Draw(page)
    for left, right in rows:
        draw.line((80, left, 920, right), fill=0, width=14)

    straight = straightening.straightened(np.asarray(page))

    there = np.linalg.inv(straight.back)
    falls = [_y(there, 920, right) - _y(there, 80, left) for left, right in rows]
    assert max(falls) - min(falls) < 14


def _y(matrix: straightening.Matrix, x: float, y: float) -> float:
    taken = matrix @ np.array([x, y, 1])
    return float(taken[1] / taken[2])


def _polygon(size: tuple[int, int], corners: tuple[int, ...]) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    return mask


def test_the_server_itself_loads_nothing_heavy() -> None:
    """Heavy libraries are the child's; here they would be loaded only by these tests."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, bivelio_server.app; print(*sys.modules)"],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip

    assert {"cv2", "numpy", "pypdfium2", "kreuzberg", "faster_paddle", "PIL"} & set(done.stdout.split()) == set()
