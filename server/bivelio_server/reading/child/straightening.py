"""An image of a page made flat, even and level, as engines of OCR need it, and the way back to where things were."""

import math
from typing import Final, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Grey: TypeAlias = NDArray[np.uint8]
Matrix: TypeAlias = NDArray[np.float64]

#: Sides of the small copies on which pages are looked for, and their slant is measured.
_SMALL: Final = 800
#: What a sheet of paper takes of a photo, and how much brighter than its surroundings it is.
_LEAST_SHEET, _MOST_SHEET, _BRIGHTER = 0.25, 0.95, 40
_MOST_SLANT, _COARSE, _FINE = 8.0, 0.5, 0.1
_LEAST_SLANT: Final = 0.15
#: Grey of paper that needs no lighting up, and how even it is.
_WHITE, _EVEN = 235, 6


class Straight(NamedTuple):
    """`back` takes a point of `image` to where it was."""

    image: Grey
    back: Matrix


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
    blurred = cv2.morphologyEx(cv2.GaussianBlur(small, (5, 5), 0), cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    _, bright = cv2.threshold(blurred, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or not _LEAST_SHEET < cv2.contourArea(largest) / small.size < _MOST_SHEET:
        return None
    polygon = cv2.approxPolyDP(largest, 0.02 * cv2.arcLength(largest, closed=True), closed=True)
    corners = np.asarray(polygon, np.int32)
    if len(corners) != 4 or not cv2.isContourConvex(corners) or not _stands_out(_grey(blurred), corners):
        return None
    points = corners.reshape(4, 2).astype(np.float32)
    sums, differences = points.sum(axis=1), points[:, 0] - points[:, 1]
    order = [sums.argmin(), differences.argmax(), sums.argmax(), differences.argmin()]
    return points[order] / np.float32(scale) if len(set(order)) == 4 else None


def _stands_out(image: Grey, corners: NDArray[np.int32]) -> bool:
    inside = np.zeros(image.shape, np.uint8)
    cv2.fillConvexPoly(inside, corners, 255)
    return cv2.mean(image, inside)[0] - cv2.mean(image, cv2.bitwise_not(inside))[0] > _BRIGHTER


def _evened(image: Grey) -> Grey:
    """Without shadows: each part is divided by how bright its paper is."""
    small, _ = _smaller(image)
    paper = cv2.medianBlur(cv2.dilate(small, np.ones((9, 9), np.uint8)), 25)
    if np.median(paper) >= _WHITE and paper.std() <= _EVEN:
        return image
    height, width = image.shape
    return _grey(cv2.divide(image, cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), scale=255))


def _levelled(image: Grey) -> tuple[Grey, Matrix]:
    angle = _slant(image)
    if abs(angle) < _LEAST_SLANT:
        return image, np.eye(3)
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    level = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=255)
    return _grey(level), np.vstack([matrix, [0, 0, 1]])


def _slant(image: Grey) -> float:
    """The angle, in degrees, by which the rows of ink stand out best when the page is turned."""
    small, _ = _smaller(image)
    ink = _grey(cv2.threshold(small, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)[1])
    coarse = max(np.arange(-_MOST_SLANT, _MOST_SLANT + _COARSE, _COARSE), key=lambda angle: _rowness(ink, angle))
    fine = np.arange(coarse - _COARSE, coarse + _COARSE + _FINE, _FINE)
    return float(max(fine, key=lambda angle: _rowness(ink, angle)))


def _rowness(ink: Grey, angle: float) -> float:
    height, width = ink.shape
    turned = cv2.warpAffine(ink, cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1), (width, height))
    rows = turned.sum(axis=1, dtype=np.float64)
    return float(np.square(np.diff(rows)).sum())


def _smaller(image: Grey) -> tuple[Grey, float]:
    scale = min(1.0, _SMALL / max(image.shape))
    return _grey(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)), scale


def _grey(image: object) -> Grey:
    return np.asarray(image, np.uint8)
