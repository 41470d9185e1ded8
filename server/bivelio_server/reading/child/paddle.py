"""OCR by faster-paddle, whose models (PP-OCRv6) are in its wheel."""

from typing import Any, Final

import cv2
from faster_paddle import OcrEngine

from bivelio_server.reading.child.ocr import SeenLine
from bivelio_server.reading.child.straightening import Grey
from bivelio_server.reading.child.task import Ocr

_SIZES: Final = {"small": "small", "light": "tiny"}


class Paddle:
    """One thread: several files are read at once by several children."""

    def __init__(self, ocr: Ocr) -> None:
        size = _SIZES[ocr]
        self.name = f"paddle-{size}"
        self._engine = OcrEngine(model_size=size, threads=1)

    def lines(self, image: Grey) -> list[SeenLine]:
        encoded = cv2.imencode(".bmp", image)[1].tobytes()
        return [_seen(found) for found in self._engine.ocr(encoded)["bounds"].values() if found["text"].strip()]


def _seen(found: dict[str, Any]) -> SeenLine:
    (x0, y0), (x1, y1) = found["topLeftCoord"], found["bottomRightCoord"]
    return SeenLine(found["text"], x0, y0, x1, y1, found["confidence"])
