"""The port of OCR: what reads an image of a page that is straight and the right way up."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, cast

from bivelio_server.reading.child.task import Ocr
from bivelio_server.reading.port import Flattening, Word

if TYPE_CHECKING:  # whoever needs no OCR needs no numpy either
    import numpy as np
    from numpy.typing import NDArray

#: A page in grey: a row for each line of pixels.
Image: TypeAlias = "NDArray[np.uint8]"


class SeenLine(NamedTuple):
    """What stands in one row; its corners are in pixels. `confidence` is the engine's, from 0 to 1."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    confidence: float


class Engine(Protocol):
    name: str

    def lines(self, image: Image) -> list[SeenLine]: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A page that was read from its image, the right way up; `rotation` is how far it had to be turned for that, and
    `flattening` what made it level then."""

    width: float
    height: float
    rotation: int
    lines: Sequence[Sequence[Word]]
    engine: str
    flattening: Flattening | None


class Sight(Protocol):
    """The module `seeing`."""

    def see(self, image: Image, width: float, height: float, ocr: Ocr) -> Seen: ...


def sight() -> Sight:
    """Loaded when first needed: image processing and the models take a second of processor, which most files never
    need."""
    return cast("Sight", import_module("bivelio_server.reading.child.seeing"))
