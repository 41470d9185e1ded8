"""What is in a file: its pages of words with their places, and the files inside it.

Nothing of a file is trusted: it is opened in a child process that may use only so much memory, time and processor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

from bivelio_server.kit.text import Text

Source: TypeAlias = Literal["text", "ocr"]


class Unreadable(Exception):
    """The file cannot be read, and nothing of it was. `constraint` tells why in one word: `encrypted`, `damaged`,
    `empty`, `max_pages`, `max_page_size`, `max_pixels`, `max_bytes`, `max_seconds`, `max_memory`, `max_text`,
    `max_depth`, `mime_type`, `file_name`."""

    def __init__(self, constraint: str, text: Text) -> None:
        super().__init__(text.en)
        self.constraint = constraint
        self.text = text


class Box(NamedTuple):
    """A place on a page that is the right way up, in points from its upper left corner."""

    x0: float
    y0: float
    x1: float
    y1: float


class Flattening(NamedTuple):
    """Takes a point of a page to where it would be if the paper lay flat and level, so that rows of text run straight:
    a projection, row by row."""

    xx: float
    xy: float
    x: float
    yx: float
    yy: float
    y: float
    wx: float
    wy: float
    w: float


class Word(NamedTuple):
    """`confidence` is how sure its reader was, from 0 to 1; a text layer is."""

    text: str
    box: Box
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """`number` counts from 1; `width` and `height` are in points. Words are in reading order, as far as known.

    `rotation` is how far (0, 90, 180, 270 degrees clockwise) the page that the file shows must be turned to be the
    right way up, as it is here. `flattening` is there where an image of the page was askew or leaned away: words are in
    their places on the page as it is shown all the same.
    """

    number: int
    width: float
    height: float
    source: Source
    words: Sequence[Word]
    rotation: int = 0
    flattening: Flattening | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the file, such as the XML of a Factur-X invoice or what is attached to an e-mail."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """`mime_type` is what the content is, whatever its name says. `text` is all of it in reading order. A file without
    pages (DOCX, HTML, EML, XML…) has a `text`, and one page without places. `engine` names what read it.
    """

    mime_type: str
    page_count: int
    pages: Sequence[Page]
    text: str
    attachments: Sequence[Attachment]
    engine: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one reading may use; beyond, it is Unreadable. `pixels` are those of one image, `seconds` those of the whole
    reading; each page whose characters are recognised adds `page_seconds`, up to `most_seconds` in all."""

    bytes: int = 50 * 1024 * 1024
    pages: int = 200
    page_points: float = 14_400
    pixels: int = 60_000_000
    seconds: float = 120
    page_seconds: float = 0
    most_seconds: float = 0
    memory: int = 2 * 1024**3

    @property
    def longest(self) -> float:
        """Seconds that no reading goes beyond."""
        return max(self.seconds, self.most_seconds)

    def seconds_after(self, recognised: int) -> float:
        """What the whole may take when the characters of so many pages have been recognised."""
        return min(self.longest, self.seconds + recognised * self.page_seconds)


#: Told of how many pages are read, of how many.
Tell: TypeAlias = Callable[[int, int], None]


def to_nobody(_read: int, _pages: int) -> None: ...


class Reader(Protocol):
    async def read(
        self, content: bytes, *, filename: str | None = None, limits: Limits = Limits(), tell: Tell = to_nobody
    ) -> Reading:
        """Raises Unreadable. `filename` may help to tell texts apart; what the content shows counts more."""
