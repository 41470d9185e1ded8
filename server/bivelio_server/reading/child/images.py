"""Images of pages: scans and photos."""

import io
import math
import struct
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from bivelio_server.reading.child import ocr
from bivelio_server.reading.child.confinement import allow_processor_time
from bivelio_server.reading.child.task import Task, check_text, refuse
from bivelio_server.reading.child.texts import text_of
from bivelio_server.reading.port import Limits, Page, Reading
from bivelio_server.reading.wire import Progress

_FORMATS: Final = ("PNG", "JPEG", "TIFF", "WEBP")
#: Seconds of processor for decoding an image, and for OCR of it.
_SECONDS: Final = 15
_OCR_SECONDS: Final = 90
#: Points that the longer side of a sheet may have; what an image says of itself is often nonsense, then it is an A4.
_SHEETS: Final = (100.0, 2000.0)
_A4: Final = 842.0
#: Pixels of the longer side that OCR has any use for: an A4 of 400 dpi.
_LONGEST: Final = 4700
_WHITE: Final = (255, 255, 255, 255)
# The limit is ours, and its refusal says more.
Image.MAX_IMAGE_PIXELS = None


def read(task: Task, mime_type: str) -> Reading:
    pages, texts, engine = [], [], "pillow"
    for number, (image, width, height, frames) in enumerate(_opened(task), 1):
        if task.ocr == "off":
            pages.append(Page(number, width, height, "text", ()))
            continue
        allow_processor_time(_OCR_SECONDS)
        seen = ocr.sight().see(np.asarray(image), width, height, task.ocr)
        words = [word for line in seen.lines for word in line]
        pages.append(Page(number, seen.width, seen.height, "ocr", words, seen.rotation, seen.flattening))
        texts.append(text_of(seen.lines))
        check_text(sum(map(len, texts)))
        engine = seen.engine
        task.tell(Progress(number, max(number, frames), number))
    return Reading(mime_type, len(pages), pages, "\n\n".join(texts), (), engine)


def _opened(task: Task) -> Iterator[tuple[Image.Image, float, float, int]]:
    """The images of the file, grey, the way up that viewers show them, with their width and height on paper, and how
    many there are."""
    try:
        with Image.open(io.BytesIO(task.content), formats=_FORMATS) as file:
            for index, frame in enumerate(ImageSequence.Iterator(file)):
                if index >= task.limits.pages:
                    refuse("max_pages", found=f"> {task.limits.pages}", allowed=task.limits.pages)
                allow_processor_time(_SECONDS)
                _check_pixels(frame, task.limits)
                image = _grey(frame)
                points = _points(image)
                image.thumbnail((_LONGEST, _LONGEST))
                yield image, *points, getattr(file, "n_frames", 1)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error):  # what Pillow raises for broken files
        refuse("damaged")


def _check_pixels(image: Image.Image, limits: Limits) -> None:
    """Before it is decoded."""
    pixels = math.prod(image.size)
    if pixels > limits.pixels:
        refuse("max_pixels", found=pixels, allowed=limits.pixels)
    if pixels == 0:
        refuse("empty")


def _grey(image: Image.Image) -> Image.Image:
    """What is transparent is white."""
    dpi = image.info.get("dpi")
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, _WHITE), upright.convert("RGBA"))
    grey = _sixteen_bits(upright) if upright.mode.startswith("I") else upright.convert("L")
    grey.info = {"dpi": dpi}
    return grey


def _sixteen_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(image, np.uint32) >> 8).clip(0, 255).astype(np.uint8))


def _points(image: Image.Image) -> tuple[float, float]:
    """Width and height on paper."""
    longer = max(image.size)
    dpi = image.info.get("dpi")
    scale = 72 / float(dpi[0]) if dpi and dpi[0] > 0 else 0.0
    if not _SHEETS[0] <= longer * scale <= _SHEETS[1]:
        scale = _A4 / longer
    return image.width * scale, image.height * scale
