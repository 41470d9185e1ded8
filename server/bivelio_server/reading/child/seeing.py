"""Reading an image of a page: straightened, turned the right way up, read, and its words put where they stand."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from bivelio_server.reading.child.ocr import Engine, Seen, SeenLine
from bivelio_server.reading.child.paddle import Paddle
from bivelio_server.reading.child.straightening import Grey, Matrix, straightened
from bivelio_server.reading.child.task import Ocr
from bivelio_server.reading.port import Box, Flattening, Word

#: How sure an engine is of most text that is the right way up; of text that is upside down it is much less.
_SURE: Final = 0.8
#: Narrow and wide letters, in widths of the others.
_WIDTHS: Final = {
    **dict.fromkeys("iljftrI.,:;'|!()[]/-·", 0.55),
    **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZÑÁÉÓÚ€", 1.25),
    **dict.fromkeys("mwMW@%—", 1.55),
}
_SPACE: Final = 0.55

_engine: Final = lru_cache(Paddle)


def see(image: Grey, width: float, height: float, ocr: Ocr) -> Seen:
    """The words of a page of so many points that `image` shows."""
    engine = _engine(ocr)
    quarters, lines, back = _upright(image, engine)
    if quarters % 2:
        width, height = height, width
    turned_height, turned_width = np.rot90(image, quarters).shape
    scale = np.diag([width / turned_width, height / turned_height, 1.0])
    rows = [[word for line in row for word in _words(line, scale @ back)] for row in _rows(lines)]
    return Seen(width, height, -90 * quarters % 360, rows, engine.name, _flattening(back, scale))


def _upright(image: Grey, engine: Engine) -> tuple[int, list[SeenLine], Matrix]:
    """By how many quarters (anticlockwise) the image had to be turned, what it says then, and the way back.

    Whether lines run level or upright shows in their shapes. Engines turn upright ones anticlockwise to read them: how
    sure they are then tells which of the two ways it is.
    """
    lines, back = _read(image, engine)
    if not lines:
        return 0, lines, back
    sure = _confidence(lines) >= _SURE
    if not _run_upright(lines):
        return (0, lines, back) if sure else _surer(image, engine, 2, (0, lines, back))
    likelier = 1 if sure else 3
    lines, back = _read(np.rot90(image, likelier), engine)
    found = (likelier, lines, back)
    return found if _confidence(lines) >= _SURE else _surer(image, engine, (likelier + 2) % 4, found)


def _surer(
    image: Grey, engine: Engine, quarters: int, other: tuple[int, list[SeenLine], Matrix]
) -> tuple[int, list[SeenLine], Matrix]:
    lines, back = _read(np.rot90(image, quarters), engine)
    return (quarters, lines, back) if _confidence(lines) > _confidence(other[1]) else other


def _read(image: Grey, engine: Engine) -> tuple[list[SeenLine], Matrix]:
    straight = straightened(np.ascontiguousarray(image))
    return engine.lines(straight.image), straight.back


def _confidence(lines: Sequence[SeenLine]) -> float:
    """That of the average character."""
    return sum(line.confidence * len(line.text) for line in lines) / max(1, sum(len(line.text) for line in lines))


def _run_upright(lines: Sequence[SeenLine]) -> bool:
    balance = sum(len(line.text) * (1 if line.y1 - line.y0 > line.x1 - line.x0 else -1) for line in lines)
    return balance > 0


def _rows(lines: Sequence[SeenLine]) -> list[list[SeenLine]]:
    """Lines beside each other together, from the top down and from left to right."""
    rows: list[list[SeenLine]] = []
    for line in sorted(lines, key=lambda line: line.y0 + line.y1):
        if rows and _beside(rows[-1][0], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.x0) for row in rows]


def _beside(first: SeenLine, line: SeenLine) -> bool:
    least = min(first.y1 - first.y0, line.y1 - line.y0)
    return abs((first.y0 + first.y1) - (line.y0 + line.y1)) < least


def _flattening(back: Matrix, scale: Matrix) -> Flattening | None:
    """`back` from pixel to pixel, the other way and in points."""
    if np.array_equal(back, np.eye(3)):
        return None
    matrix = scale @ np.linalg.inv(back) @ np.linalg.inv(scale)
    return Flattening(*(float(each) for each in (matrix / matrix[2, 2]).flat))


def _words(line: SeenLine, back: Matrix) -> Iterator[Word]:
    """Engines tell where a line is: its words share it by how wide their letters usually are."""
    texts = line.text.split()
    widths = [sum(_WIDTHS.get(letter, 1.0) for letter in text) for text in texts]
    unit = (line.x1 - line.x0) / (sum(widths) + _SPACE * (len(texts) - 1))
    starts = np.cumsum([0.0, *(width + _SPACE for width in widths)]) * unit + line.x0
    for text, width, (start, _) in zip(texts, widths, pairwise(starts), strict=True):
        yield Word(text, _placed(start, line.y0, start + width * unit, line.y1, back), round(line.confidence, 4))


def _placed(x0: float, y0: float, x1: float, y1: float, back: Matrix) -> Box:
    corners = np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], np.float64)
    points = cv2.perspectiveTransform(corners, back)[0]
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return Box(float(left), float(top), float(right), float(bottom))
