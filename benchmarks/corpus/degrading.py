"""What scanners and telephones do to a page."""

from random import Random

import cv2
import numpy as np
import pypdfium2
from numpy.typing import NDArray

Image = NDArray[np.uint8]
KINDS = ("scan", "photo", "desk")
_DPI = 200


def picture(pdf: bytes) -> Image | None:
    """The only page as pixels; None if there are several."""
    document = pypdfium2.PdfDocument(pdf)
    if len(document) > 1:
        return None
    return document[0].render(scale=_DPI / 72).to_numpy()[:, :, :3].copy()


def degraded(page: Image, kind: str, random: Random) -> bytes:
    """JPEG. `scan`: up to 2° askew, noise, strong compression. `photo`: perspective and a shadow besides. `desk`: the sheet
    lies on something darker, in strong perspective, a little blurred."""
    noise = np.random.default_rng(random.getrandbits(32))
    if kind == "desk":
        image = cv2.GaussianBlur(_shadowed(_on_a_desk(page, random, noise), random), (0, 0), 0.7)
    else:
        image = _rotated(page, random.uniform(-2, 2))
    if kind == "photo":
        image = _shadowed(_in_perspective(image, random), random)
    image = np.clip(image + noise.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, random.randint(45, 60)])[1])


def _rotated(image: Image, degrees: float) -> Image:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(image, turn, (width, height), borderValue=(255, 255, 255), flags=cv2.INTER_CUBIC)


def _in_perspective(image: Image, random: Random) -> Image:
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + np.array([[random.uniform(-0.015, 0.015) * width for _ in range(2)] for _ in range(4)], np.float32)
    return cv2.warpPerspective(image, cv2.getPerspectiveTransform(corners, moved), (width, height), borderValue=(230, 230, 230))


def _on_a_desk(image: Image, random: Random, noise: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    size = (round(1.2 * width), round(1.15 * height))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + np.array([[random.uniform(0.04, 0.16) * width, random.uniform(0.02, 0.13) * height] for _ in range(4)], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    grain = cv2.GaussianBlur(noise.normal(0, 60, (size[1], size[0], 3)), (0, 0), 9) * 3
    paper = cv2.warpPerspective(np.full((height, width, 1), 255, np.uint8), matrix, size)[..., None] > 0
    return np.where(paper, cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_CUBIC), random.randint(60, 140) + grain)


def _shadowed(image: Image, random: Random) -> Image:
    height, width = image.shape[:2]
    across = np.linspace(random.uniform(0.6, 0.75), 1.0, width)
    down = np.linspace(1.0, random.uniform(0.8, 0.95), height)
    return np.clip(image * (down[:, None] * across[None, :])[..., None], 0, 255)
