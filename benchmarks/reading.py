"""Reading files: pages a second, CPU and memory, by how they are read; and whether scans lie the right way up after it.

Everything in the child process that the server starts for each file; its start is a part of the figures.
"""

import asyncio
import io
import random
import resource
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pypdfium2
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from bivelio_server.reading.port import Reading
from bivelio_server.reading.process import ChildReader

PAGES = 5
MANY = 100
TIMES = 10
GOODS = ("Revisión de caldera", "Cambio de aceite", "Tóner negro", "Montaje y señalización", "Papel A4 80 g")


@dataclass(frozen=True)
class Spent:
    seconds: float
    cpu: float
    megabytes: float


async def measure() -> None:
    print(f"\nreading files (A4 invoices of some {len(_words(1))} words)")
    await _text_layer(1, "PDF of one page, text layer")
    await _text_layer(MANY, f"PDF of {MANY} pages, text layer")
    for ocr, name in (("light", "OCR light"), ("small", "OCR small")):
        await _ocr(ChildReader(ocr), name)  # type: ignore[arg-type]  # both are values of the setting
    await _orientation(ChildReader("light"))


async def _text_layer(pages: int, name: str) -> None:
    reader, content = ChildReader("off"), _pdf(pages)
    await reader.read(content)
    spent = [await _timed(reader, content) for _ in range(TIMES)]
    seconds, cpu = sum(each.seconds for _, each in spent), sum(each.cpu for _, each in spent)
    print(
        f"  {name:34} {TIMES * pages / seconds:8.1f} pages/s, {1000 * cpu / TIMES / pages:7.1f} ms of CPU a page,"
        f" {max(each.megabytes for _, each in spent):.0f} MB"
    )


async def _ocr(reader: ChildReader, name: str) -> None:
    """The same pages as scans of 200 and 150 dpi, slanted, noisy, as JPEG."""
    for dpi, slant, noise in ((200, 0.0, 0.0), (150, 1.3, 10.0)):
        images = [_scan(number, dpi, slant, noise) for number in range(1, PAGES + 1)]
        results = [await _timed(reader, image) for image in images]
        found = sum(_right(reading, number) for number, (reading, _) in enumerate(results, 1))
        there = sum(len(_words(number)) for number in range(1, PAGES + 1))
        seconds, cpu = sum(each.seconds for _, each in results), sum(each.cpu for _, each in results)
        what = f"{name}, {'clean' if not noise else 'slanted and noisy'}, {dpi} dpi"
        print(
            f"  {what:34} {PAGES / seconds:8.2f} pages/s, {1000 * cpu / PAGES:7.0f} ms of CPU a page,"
            f" {max(each.megabytes for _, each in results):.0f} MB; {100 * found / there:.1f} % of the words"
        )


async def _orientation(reader: ChildReader) -> None:
    right = 0
    for number in range(1, PAGES + 1):
        for turned in (0, 90, 180, 270):
            reading = await reader.read(_scan(number, 150, 1.0, 10.0, turned))
            right += reading.pages[0].rotation == turned
    print(f"  turned by 0, 90, 180, 270 degrees  {right} of {4 * PAGES} put the right way up (OCR light)")


async def _timed(reader: ChildReader, content: bytes) -> tuple[Reading, Spent]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    reading = await reader.read(content)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return reading, Spent(seconds, cpu, after.ru_maxrss / 1024)


def _right(reading: Reading, number: int) -> int:
    """Words of the page that were read exactly."""
    found = Counter(word.text for page in reading.pages for word in page.words)
    return sum((found & Counter(_words(number))).values())


def _words(number: int) -> list[str]:
    return [word for text, *_ in _texts(number) for word in text.split()]


def _texts(number: int) -> list[tuple[str, float, float, int]]:
    """Texts of an invoice, where they stand, and how big."""
    chance = random.Random(number)  # noqa: S311 - the same pages each time
    texts = [
        ("Talleres Muñoz e Hijos, S.L.", 60.0, 790.0, 16), (f"Factura nº 2026/{number:04}", 380.0, 790.0, 12),
        ("NIF B12345674 · Calle Alcalá 123, 28009 Madrid", 60.0, 770.0, 9),
        ("Cliente: Gestoría Peña, S.A. NIF A58818501", 60.0, 735.0, 10),
    ]  # fmt: skip
    for row in range(22):
        y = 690.0 - 20 * row
        amount, price = chance.randint(1, 9), chance.randint(100, 99_999) / 100
        texts += [
            (f"{chance.choice(GOODS)} ref. {chance.randint(1000, 9999)}", 60.0, y, 9), (str(amount), 320.0, y, 9),
            (_money(price), 380.0, y, 9), (_money(price * amount), 470.0, y, 9),
        ]  # fmt: skip
    return [*texts, ("Base imponible", 380.0, 220.0, 10), ("TOTAL 12.345,67 €", 380.0, 180.0, 12)]


def _money(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def _pdf(pages: int, first: int = 1) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for number in range(first, first + pages):
        for text, x, y, size in _texts(number):
            canvas.setFont("Helvetica", size)
            canvas.drawString(x, y, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _scan(number: int, dpi: int, slant: float, noise: float, turned: int = 0) -> bytes:
    page = pypdfium2.PdfDocument(_pdf(1, number))[0]
    image = page.render(scale=dpi / 72, grayscale=True).to_pil()
    image = image.rotate(slant, resample=Image.Resampling.BICUBIC, fillcolor=255)
    grain = np.random.default_rng(number).normal(0, noise, (image.height, image.width))
    image = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
    out = io.BytesIO()
    image.rotate(turned, expand=True).save(out, "JPEG", quality=50 if noise else 90, dpi=(dpi, dpi))
    return out.getvalue()


if __name__ == "__main__":
    asyncio.run(measure())
