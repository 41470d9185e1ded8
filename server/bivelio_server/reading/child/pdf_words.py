"""The text layer of a PDF page: words with their places on the page that is the right way up."""

import ctypes
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import pypdfium2
from pypdfium2 import raw

from bivelio_server.reading.child.texts import around
from bivelio_server.reading.port import Box, Word

Line: TypeAlias = list[Word]
#: Where a corner of the page's own coordinates is on the upright page.
Placing: TypeAlias = Callable[[float, float], tuple[float, float]]

_MAX_CHARACTERS: Final = 200_000
_SAMPLE: Final = 400
_HYPHENS: Final = "\x02\ufffe\u00ad"
_UNKNOWN: Final = "\ufffd\x00"


@dataclass(frozen=True, slots=True)
class Layer:
    """`unknown` is the share of characters whose meaning the file does not tell."""

    width: float
    height: float
    rotation: int
    lines: list[Line]
    characters: int
    unknown: float


class TooMuchText(Exception):
    """More characters than any page that people read."""


def text_layer(page: pypdfium2.PdfPage) -> Layer:
    """Raises TooMuchText, PdfiumError."""
    text_page = page.get_textpage()
    try:
        count = text_page.count_chars()
        if count > _MAX_CHARACTERS:
            raise TooMuchText
        shown = page.get_rotation()
        turned = _level_angle(text_page, count, shown)
        width, height, place = _placing(page, turned)
        characters = list(_characters(text_page, count, place))
    finally:
        text_page.close()
    seen = [each for each in characters if not each.text.isspace()]
    unknown = sum(each.text in _UNKNOWN for each in seen) / max(1, len(seen))
    return Layer(width, height, (turned - shown) % 360, _lines(characters), len(seen), unknown)


class _Character(NamedTuple):
    text: str
    box: Box | None


def _characters(text_page: pypdfium2.PdfTextPage, count: int, place: Placing) -> Iterator[_Character]:
    area = raw.FS_RECTF()
    there = ctypes.byref(area)
    index = 0
    while index < count:
        code = raw.FPDFText_GetUnicode(text_page, index)
        if 0xD800 <= code < 0xDC00 and index + 1 < count:  # pdfium counts both halves of a character beyond 16 bits
            index += 1
            code = 0x10000 + ((code - 0xD800) << 10) + ((raw.FPDFText_GetUnicode(text_page, index) - 0xDC00) & 0x3FF)
        text = _character(code)
        if text.isspace():
            yield _Character(text, None)
        else:
            found = raw.FPDFText_GetLooseCharBox(text_page, index, there)
            yield _Character(text, _box(area, place) if found else None)
        index += 1


def _character(code: int) -> str:
    if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        return "\ufffd"
    text = chr(code)
    return "-" if text in _HYPHENS else text


def _box(area: raw.FS_RECTF, place: Placing) -> Box:
    x0, y0 = place(area.left, area.top)
    x1, y1 = place(area.right, area.bottom)
    return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _lines(characters: list[_Character]) -> list[Line]:
    lines: list[Line] = [[]]
    word: list[_Character] = []
    for each in characters:
        if not each.text.isspace():
            word.append(each)
            continue
        _close(word, lines[-1])
        word = []
        if each.text in "\r\n" and lines[-1]:
            lines.append([])
    _close(word, lines[-1])
    return [line for line in lines if line]


def _close(word: list[_Character], line: Line) -> None:
    boxes = [each.box for each in word if each.box is not None]
    text = "".join(each.text for each in word).replace("\x00", "\ufffd")
    if text and boxes:
        line.append(Word(text, around(boxes)))


def _level_angle(text_page: pypdfium2.PdfTextPage, count: int, shown: int) -> int:
    """How far the page must be turned clockwise for most of its text to be level: 0, 90, 180 or 270 degrees.

    As far as the file shows it turned, if there is no text.
    """
    step = max(1, count // _SAMPLE)
    angles = Counter(
        round(-math.degrees(raw.FPDFText_GetCharAngle(text_page, index)) / 90) * 90 % 360
        for index in range(0, count, step)
        if not raw.FPDFText_IsGenerated(text_page, index)
    )
    return angles.most_common(1)[0][0] if angles else shown


def _placing(page: pypdfium2.PdfPage, turned: int) -> tuple[float, float, Placing]:
    """Width and height of the page turned clockwise, and where its points are then."""
    left, bottom, right, top = page.get_bbox()
    width, height = right - left, top - bottom
    places: dict[int, Placing] = {
        0: lambda x, y: (x - left, top - y),
        90: lambda x, y: (y - bottom, x - left),
        180: lambda x, y: (right - x, y - bottom),
        270: lambda x, y: (top - y, right - x),
    }
    return (height, width, places[turned]) if turned in (90, 270) else (width, height, places[turned])
