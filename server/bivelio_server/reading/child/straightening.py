"""An image of a page made flat, even and level, as engines of OCR need it, and the way back to where things were."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Grey: TypeAlias = NDArray[np.uint8]
Matrix: TypeAlias = NDArray[np.float64]
Point: TypeAlias = NDArray[np.float64]

#: Sides of the small copies on which pages are looked for, and their slant is measured.
_SMALL: Final = 800
#: What a sheet of paper takes of a photo, and how much brighter than its surroundings it is.
_LEAST_SHEET, _MOST_SHEET, _BRIGHTER = 0.25, 0.95, 40
#: Where the paper ends it is that much darker a few pixels further on; a shadow falls off more slowly. Of so many
#: places of each side, that share must be such an end.
_STEP, _AROUND, _PLACES, _MOST_PLACES = 20, 6, 40, 0.7
#: Of the brightness that parts paper from what is around it: a corner of the sheet may lie in the shade.
_SHADES: Final = (1.0, 0.92, 0.84, 0.76)
_MOST_SLANT, _COARSE, _FINE = 8.0, 0.5, 0.1
_LEAST_SLANT: Final = 0.15
#: Degrees by which the first row may lean away from the middle one, and the last one the other way; and how much
#: better rows must stand out for it to be believed.
_MOST_TAPER, _SIDE, _LEAST_GAIN = 2.0, 0.5, 1.03
#: The longer side of the copy on which rows are looked for, and how many points of its ink are enough for that.
_ROWS, _POINTS = 1200, 15_000
#: Grey of paper that needs no lighting up, and how even it is.
_WHITE, _EVEN = 235, 6


class Straight(NamedTuple):
    """`back` takes a point of `image` to where it was."""

    image: Grey
    back: Matrix


class _Ink(NamedTuple):
    """Points of the ink of a page."""

    width: int
    height: int
    places: NDArray[np.float64]


def straightened(image: Grey) -> Straight:
    flat, to_flat = _flattened(image)
    even = _evened(flat)
    level, to_level = _levelled(even)
    return Straight(level, np.linalg.inv(to_level @ to_flat).astype(np.float64))


def _flattened(image: Grey) -> tuple[Grey, Matrix]:
    """The sheet of paper in a photo as if it had been scanned."""
    corners = _sheet(image)
    if corners is None:
        return image, np.eye(3)
    above, right, below, left = (math.dist(corners[i], corners[(i + 1) % 4]) for i in range(4))
    width, height = round(max(above, below)), round(max(right, left))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = np.asarray(cv2.getPerspectiveTransform(corners, target), np.float64)
    return _grey(cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=255)), matrix


def _sheet(image: Grey) -> NDArray[np.float32] | None:
    """Its corners from the upper left one clockwise; None where the image is no photo of a sheet."""
    small, scale = _smaller(image)
    blurred = _grey(cv2.morphologyEx(cv2.GaussianBlur(small, (5, 5), 0), cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)))
    between, _ = cv2.threshold(blurred, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    found = (_quadrangle(blurred, between * share) for share in _SHADES)
    corners = next((each for each in found if each is not None and _stands_out(blurred, each)), None)
    if corners is None:
        return None
    points = corners.reshape(4, 2).astype(np.float32)
    sums, differences = points.sum(axis=1), points[:, 0] - points[:, 1]
    order = [sums.argmin(), differences.argmax(), sums.argmax(), differences.argmin()]
    return points[order] / np.float32(scale) if len(set(order)) == 4 else None


def _quadrangle(image: Grey, threshold: float) -> NDArray[np.int32] | None:
    """The corners of the largest bright part of the photo, if it has four and may be a sheet."""
    bright = cv2.threshold(image, threshold, 255, cv2.THRESH_BINARY)[1]
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or not _LEAST_SHEET < cv2.contourArea(largest) / image.size < _MOST_SHEET:
        return None
    corners = np.asarray(cv2.approxPolyDP(largest, 0.02 * cv2.arcLength(largest, closed=True), closed=True), np.int32)
    return corners if len(corners) == 4 and cv2.isContourConvex(corners) else None


def _stands_out(image: Grey, corners: NDArray[np.int32]) -> bool:
    inside = np.zeros(image.shape, np.uint8)
    cv2.fillConvexPoly(inside, corners, 255)
    brighter = cv2.mean(image, inside)[0] - cv2.mean(image, cv2.bitwise_not(inside))[0] > _BRIGHTER
    points = corners.reshape(4, 2).astype(np.float64)
    return brighter and all(_ends(image, points[i], points[(i + 1) % 4], points.mean(axis=0)) for i in range(4))


def _ends(image: Grey, first: Point, second: Point, middle: Point) -> bool:
    """Whether the paper ends along the side between two corners: there, or at the edge of the photo."""
    along = second - first
    across = np.array([along[1], -along[0]]) / max(float(np.hypot(*along)), 1.0)
    across *= _AROUND * np.sign(across @ (first - middle))
    places = first + along * np.linspace(0.05, 0.95, _PLACES)[:, None]
    inside, outside = np.rint(places - across).astype(int), np.rint(places + across).astype(int)
    height, width = image.shape
    seen = ((inside >= 0) & (inside < (width, height)) & (outside >= 0) & (outside < (width, height))).all(axis=1)
    if seen.sum() < _PLACES / 2:
        return True
    (x0, y0), (x1, y1) = inside[seen].T, outside[seen].T
    steps = image[y0, x0].astype(int) - image[y1, x1]
    return float(np.mean(steps > _STEP)) >= _MOST_PLACES


def _evened(image: Grey) -> Grey:
    """Without shadows: each part is divided by how bright its paper is."""
    small, _ = _smaller(image)
    paper = cv2.medianBlur(cv2.dilate(small, np.ones((9, 9), np.uint8)), 25)
    if np.median(paper) >= _WHITE and paper.std() <= _EVEN:
        return image
    height, width = image.shape
    return _grey(cv2.divide(image, cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), scale=255))


def _levelled(image: Grey) -> tuple[Grey, Matrix]:
    slant, taper = _lean(image)
    if abs(slant) < _LEAST_SLANT and not taper:
        return image, np.eye(3)
    height, width = image.shape
    matrix = _levelling(width, height, slant, taper)
    level = cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=255)
    return _grey(level), matrix


def _lean(image: Grey) -> tuple[float, float]:
    """The angle, in degrees, by which the rows of ink stand out best when the page is turned; and by how much more the
    first row must be turned than the middle one, as a camera that was not held above the page makes it."""
    page = _ink(image)
    slant = _best(np.arange(-_MOST_SLANT, _MOST_SLANT + _COARSE, _COARSE), lambda angle: _rowness(page, angle, 0.0))
    slant = _best(_about(slant, _COARSE), lambda angle: _rowness(page, angle, 0.0))
    tapers = np.arange(-_MOST_TAPER, _MOST_TAPER + _SIDE, _SIDE)
    pairs = ((float(angle), float(taper)) for angle in _about(slant, _SIDE) for taper in tapers)
    leaning, taper = max(pairs, key=lambda pair: _rowness(page, *pair))
    leaning = _best(_about(leaning, _SIDE), lambda angle: _rowness(page, angle, taper))
    taper = _best(_about(taper, _SIDE), lambda angle: _rowness(page, leaning, angle))
    leaning = _best(_about(leaning, _SIDE), lambda angle: _rowness(page, angle, taper))
    if _rowness(page, leaning, taper) < _LEAST_GAIN * _rowness(page, slant, 0.0):
        return slant, 0.0
    return leaning, taper


def _ink(image: Grey) -> _Ink:
    """Dithered, lest pages that happen to lie in the grid of pixels stand out the more."""
    small, _ = _smaller(image, _ROWS)
    ink = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)[1]
    places = np.argwhere(ink)[:, ::-1]
    chance = np.random.default_rng(0)
    if len(places) > _POINTS:
        places = places[chance.choice(len(places), _POINTS, replace=False)]
    return _Ink(small.shape[1], small.shape[0], places + chance.random(places.shape))


def _about(angle: float, reach: float) -> NDArray[np.float64]:
    return np.arange(angle - reach, angle + reach + _FINE, _FINE)


def _best(angles: NDArray[np.float64], rowness: Callable[[float], float]) -> float:
    return float(max(angles, key=rowness))


def _rowness(ink: _Ink, slant: float, taper: float) -> float:
    matrix = _levelling(ink.width, ink.height, slant, taper)
    x, y = ink.places.T
    rows = (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / (matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2])
    counts = np.bincount(np.clip(rows, 0, ink.height).astype(np.intp)[(rows > 0) & (rows < ink.height)])
    return float(np.square(np.diff(counts.astype(np.float64))).sum())


def _levelling(width: int, height: int, slant: float, taper: float) -> Matrix:
    """Turns the page by `slant` about its middle, and its first and last rows by `taper` more and less."""
    turn = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), slant, 1), [0, 0, 1]])
    rise = math.tan(math.radians(taper)) * width / 2
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + np.array([[0, rise], [0, -rise], [0, rise], [0, -rise]], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, moved) @ turn, np.float64)


def _smaller(image: Grey, longest: int = _SMALL) -> tuple[Grey, float]:
    scale = min(1.0, longest / max(image.shape))
    return _grey(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)), scale


def _grey(image: object) -> Grey:
    return np.asarray(image, np.uint8)
