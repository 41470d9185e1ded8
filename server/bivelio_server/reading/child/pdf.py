"""PDF: its text layer where there is one, OCR of the rendered page where there is not, and the files attached to it."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

import pypdfium2
from pypdfium2 import raw

from bivelio_server.reading.child import ocr
from bivelio_server.reading.child.confinement import allow_processor_time
from bivelio_server.reading.child.pdf_words import Layer, TooMuchText, text_layer
from bivelio_server.reading.child.task import Task, check_text, refuse
from bivelio_server.reading.child.texts import text_of
from bivelio_server.reading.port import Attachment, Limits, Page, Reading
from bivelio_server.reading.wire import Progress

ENGINE: Final = "pdfium"
#: Seconds of processor for opening or reading a page, which take milliseconds, and for OCR of one.
_SECONDS: Final = 4
_OCR_SECONDS: Final = 90
_MAX_ATTACHMENTS: Final = 50
#: A page with fewer characters shows something else than text; more than this share of unknown ones is no text at all.
_FEW: Final = 40
_UNKNOWN: Final = 0.2
#: The same for a page that an image covers: a scanner's stamp is not its text.
_FEW_ON_A_SCAN: Final = 200
_COVERED: Final = 0.6
_OBJECTS: Final = 5000
_DEPTH: Final = 4
#: Pixels in a point of a rendered page (200 dpi), and in a page at most.
_SCALE: Final = 200 / 72
_PIXELS: Final = 12_000_000


@dataclass(frozen=True, slots=True)
class _ReadPage:
    page: Page
    text: str
    engine: str


def read(task: Task, mime_type: str) -> Reading:
    allow_processor_time(_SECONDS)
    document = _opened(task.content)
    _check_pages(document, task.limits)
    read_pages = []
    characters = recognised = 0
    for number in range(1, len(document) + 1):
        allow_processor_time(_SECONDS)
        read_pages.append(_read_page(document, number, task))
        recognised += read_pages[-1].page.source == "ocr"
        task.tell(Progress(number, len(document), recognised))
        characters += len(read_pages[-1].text)
        check_text(characters)
    allow_processor_time(_SECONDS)
    return Reading(
        mime_type=mime_type,
        page_count=len(document),
        pages=[each.page for each in read_pages],
        text="\n\n".join(each.text for each in read_pages).strip(),
        attachments=list(_attachments(document, task.limits)),
        engine="+".join(dict.fromkeys((ENGINE, *(each.engine for each in read_pages)))),
    )


def _opened(content: bytes) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(content)
        if document.get_formtype() != raw.FORMTYPE_NONE:
            document.init_forms()
    except pypdfium2.PdfiumError as error:
        refuse("encrypted" if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY) else "damaged")
    return document


def _check_pages(document: pypdfium2.PdfDocument, limits: Limits) -> None:
    count = len(document)
    if count == 0:
        refuse("damaged")
    if count > limits.pages:
        refuse("max_pages", found=count, allowed=limits.pages)
    for index in range(count):
        longest = _longest_side(document, index)
        if not longest <= limits.page_points:
            refuse("max_page_size", page=index + 1, found=round(longest), allowed=round(limits.page_points))


def _longest_side(document: pypdfium2.PdfDocument, index: int) -> float:
    try:
        return float(max(document.get_page_size(index)))
    except pypdfium2.PdfiumError:
        refuse("damaged")


def _read_page(document: pypdfium2.PdfDocument, number: int, task: Task) -> _ReadPage:
    try:
        page = _loaded(document, number - 1)
        layer = text_layer(page)
        if task.ocr != "off" and _shows_more(page, layer, task.limits):
            return _seen(page, number, task)
    except pypdfium2.PdfiumError:
        refuse("damaged")
    except TooMuchText:
        refuse("max_text")
    words = [word for line in layer.lines for word in line]
    return _ReadPage(
        Page(number, layer.width, layer.height, "text", words, layer.rotation), text_of(layer.lines), ENGINE
    )


def _loaded(document: pypdfium2.PdfDocument, index: int) -> pypdfium2.PdfPage:
    """The page, with what is filled in its forms as part of it."""
    page = document[index]
    if document.formenv is None:
        return page
    page.flatten()
    page.close()
    return document[index]


def _shows_more(page: pypdfium2.PdfPage, layer: Layer, limits: Limits) -> bool:
    """Whether there is something to read that the text layer does not tell."""
    if layer.unknown > _UNKNOWN:
        return True
    if layer.characters >= _FEW_ON_A_SCAN:
        return False
    images = list(_objects(page, raw.FPDF_PAGEOBJ_IMAGE))
    _check_pixels(images, limits)
    covered = max((_area(each) for each in images), default=0.0) / max(1.0, layer.width * layer.height)
    if layer.characters >= _FEW:
        return covered > _COVERED
    return bool(images) or any(_objects(page, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING))


def _objects(page: pypdfium2.PdfPage, *kinds: int) -> Iterator[pypdfium2.PdfObject]:
    return islice(page.get_objects(filter=list(kinds), max_depth=_DEPTH), _OBJECTS)


def _area(image: pypdfium2.PdfObject) -> float:
    left, bottom, right, top = map(float, image.get_bounds())
    return (right - left) * (top - bottom)


def _check_pixels(images: list[pypdfium2.PdfObject], limits: Limits) -> None:
    for image in images:
        width, height = image.get_px_size()
        if width * height > limits.pixels:
            refuse("max_pixels", found=width * height, allowed=limits.pixels)


def _seen(page: pypdfium2.PdfPage, number: int, task: Task) -> _ReadPage:
    width, height = page.get_size()
    allow_processor_time(_OCR_SECONDS)
    most = min(task.limits.pixels, _PIXELS)
    bitmap = page.render(scale=min(_SCALE, math.sqrt(most / (width * height))), grayscale=True)
    image = bitmap.to_numpy().copy()
    bitmap.close()
    seen = ocr.sight().see(image, width, height, task.ocr)
    words = [word for line in seen.lines for word in line]
    return _ReadPage(
        Page(number, seen.width, seen.height, "ocr", words, seen.rotation, seen.flattening),
        text_of(seen.lines),
        seen.engine,
    )


def _attachments(document: pypdfium2.PdfDocument, limits: Limits) -> Iterator[Attachment]:
    left = limits.bytes
    for index in range(min(document.count_attachments(), _MAX_ATTACHMENTS)):
        with suppress(pypdfium2.PdfiumError):  # one that cannot be taken out does not spoil the rest
            attached = document.get_attachment(index)
            content = bytes(attached.get_data())
            left -= len(content)
            if left < 0:
                refuse("max_bytes", allowed=limits.bytes)
            yield Attachment(attached.get_name(), content)
