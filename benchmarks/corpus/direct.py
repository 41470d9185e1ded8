"""Reading without a child process: the files are our own. Text layer by pdfium, images by OCR after straightening."""

import io
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pypdfium2
from faster_paddle import OcrEngine

from bivelio_server.reading.port import Attachment, Box, Page, Reading, Word

_POINTS = 72
_OCR_DPI = 200


class DirectReader:
    def __init__(self, size: str = "small") -> None:
        self._size = size
        self._engine: Any = None

    def pdf(self, content: bytes) -> Reading:
        document = pypdfium2.PdfDocument(content)
        pages = [_text_page(number, document[number - 1]) for number in range(1, len(document) + 1)]
        attachments = [_attachment(document, index) for index in range(document.count_attachments())]
        return Reading("application/pdf", len(pages), pages, _text(pages), attachments, "pdfium")

    def image(self, content: bytes) -> Reading:
        if self._engine is None:
            self._engine = OcrEngine(model_size=self._size, threads=1)
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
        straight = _straightened(_evened(image))
        found = self._engine.ocr(bytes(cv2.imencode(".png", straight)[1]))
        scale = _POINTS / _OCR_DPI
        words = [_line(bound, scale) for bound in found["bounds"].values()]
        page = Page(1, straight.shape[1] * scale, straight.shape[0] * scale, "ocr", words)
        return Reading("image/jpeg", 1, [page], _text([page]), (), f"faster-paddle {self._size}")


def picture(pdf: bytes, page: int = 0) -> Any:
    """A page as pixels, for what degrades it."""
    rendered = pypdfium2.PdfDocument(pdf)[page].render(scale=_OCR_DPI / _POINTS)
    return cv2.cvtColor(rendered.to_numpy(), cv2.COLOR_RGBA2BGR) if rendered.n_channels == 4 else rendered.to_numpy()


def _attachment(document: pypdfium2.PdfDocument, index: int) -> Attachment:
    one = document.get_attachment(index)
    return Attachment(one.get_name(), bytes(one.get_data()))


def _text_page(number: int, page: pypdfium2.PdfPage) -> Page:
    height = page.get_height()
    return Page(number, page.get_width(), height, "text", list(_words(page.get_textpage(), height)))


def _words(text: pypdfium2.PdfTextPage, height: float) -> Iterator[Word]:
    word, box = io.StringIO(), None
    for index in range(text.count_chars()):
        character = text.get_text_range(index, 1)
        left, bottom, right, top = text.get_charbox(index, loose=True)
        parted = box is not None and (abs(height - bottom - box[3]) > 3 or not -1 <= left - box[2] + 1 <= 3.5)
        if (not character.strip() or parted) and box is not None:
            yield Word(word.getvalue(), Box(*box))
            word, box = io.StringIO(), None
        if character.strip():
            word.write(character)
            place = (left, height - top, right, height - bottom)
            box = place if box is None else (min(box[0], place[0]), min(box[1], place[1]), max(box[2], place[2]), max(box[3], place[3]))
    if box is not None:
        yield Word(word.getvalue(), Box(*box))


def _line(bound: dict[str, Any], scale: float) -> Word:
    (x0, y0), (x1, y1) = bound["topLeftCoord"], bound["bottomRightCoord"]
    return Word(bound["text"], Box(x0 * scale, y0 * scale, x1 * scale, y1 * scale), float(bound["confidence"]))


def _evened(image: Any) -> Any:
    """Without shadows: divided by its own background."""
    background = cv2.medianBlur(cv2.dilate(image, np.ones((15, 15), np.uint8)), 31)
    return cv2.divide(image, background, scale=255)


def _straightened(image: Any) -> Any:
    """Turned by the angle, of -3° to 3°, at which its rows are sharpest."""
    small = cv2.resize(image, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    ink = (255 - small).astype(np.float32)
    angle = max(np.arange(-3, 3.05, 0.1), key=lambda degrees: np.var(np.diff(_turned(ink, degrees, 0).sum(axis=1))))
    return _turned(image, float(angle), 255)


def _turned(image: Any, degrees: float, fill: int) -> Any:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(degrees), 1.0)
    return cv2.warpAffine(image, turn, (width, height), borderValue=fill, flags=cv2.INTER_CUBIC)


def _text(pages: list[Page]) -> str:
    return "\n".join(" ".join(word.text for word in page.words) for page in pages)
