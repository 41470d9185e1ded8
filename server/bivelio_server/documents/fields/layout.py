"""Words become rows, and rows segments: pieces of text with no wide gap in them, as people read a form or a table."""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from bivelio_server.documents.fields.flattening import laid_flat, shown
from bivelio_server.reading.port import Box, Flattening, Page, Reading, Word

#: A gap wider than this, in heights of the row, parts two segments.
WIDE_GAP: Final = 1.25
#: Places of a text without places: every character is as wide and every line as high as these.
CHARACTER_WIDTH: Final = 5.0
LINE_HEIGHT: Final = 12.0
_MAX_LINES: Final = 5_000
_MAX_LINE: Final = 2_000
_MAX_WORDS: Final = 60_000
_FEW_WORDS: Final = 12
_MANY_WORDS: Final = 2_000
_COLUMN_BREAK: Final = re.compile(r"\t+| {3,}|\s*\|\s*")
_LIKE_ASCII: Final = str.maketrans({"º": "o", "°": "o", "ª": "a", "’": "'", "´": "'", "–": "-", "—": "-", "−": "-"})


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a segment. `placed` is False where the file has no places, and the box one that we made up."""

    text: str
    page: int
    box: Box
    confidence: float
    by_ocr: bool
    placed: bool = True


@dataclass(frozen=True, slots=True)
class Segment:
    """`plain` is `text` in lower case without accents, character by character. `row` counts through the document."""

    text: str
    plain: str
    words: tuple[Word, ...]
    starts: tuple[int, ...]
    box: Box
    page: int
    row: int
    by_ocr: bool
    placed: bool

    def span(self, start: int = 0, end: int | None = None) -> Span:
        """The words that the characters from `start` to `end` touch, with exactly those characters as text."""
        end = len(self.text) if end is None else end
        first = max(bisect_right(self.starts, start) - 1, 0)
        last = max(bisect_right(self.starts, max(end - 1, start)), first + 1)
        words = self.words[first:last]
        box = around(word.box for word in words)
        confidence = min(word.confidence for word in words)
        return Span(self.text[start:end].strip(), self.page, box, confidence, self.by_ocr, self.placed)

    @property
    def height(self) -> float:
        return self.box.y1 - self.box.y0


@dataclass(frozen=True, slots=True)
class Sheet:
    """All pages of a document as rows of segments, from top to bottom and left to right. Places are those of the pages
    laid flat."""

    rows: Sequence[tuple[Segment, ...]]
    widths: dict[int, float]
    flattenings: Mapping[int, Flattening] = field(default_factory=dict)

    def shown(self, page: int, box: Box) -> Box:
        """Where a place of a page is on the page as it is shown."""
        flattening = self.flattenings.get(page)
        return box if flattening is None else shown(box, flattening)

    @property
    def segments(self) -> Iterator[Segment]:
        for row in self.rows:
            yield from row

    def after(self, segment: Segment, count: int) -> Sequence[tuple[Segment, ...]]:
        """The rows that follow the one of a segment."""
        following = bisect_right(self.rows, segment.row, key=lambda row: row[0].row)
        return self.rows[following : following + count]

    def row_of(self, segment: Segment) -> int:
        """At which place in `rows` its row is."""
        return bisect_right(self.rows, segment.row, key=lambda row: row[0].row) - 1

    @property
    def by_ocr(self) -> bool:
        return any(segment.by_ocr for segment in self.segments)

    @property
    def plain(self) -> str:
        return "\n".join("   ".join(segment.plain for segment in row) for row in self.rows)

    @property
    def text(self) -> str:
        return "\n".join("   ".join(segment.text for segment in row) for row in self.rows)


def lay_out(reading: Reading, pages: int = 50) -> Sheet:
    """The first `pages` of a reading. Texts without places get rows from their lines."""
    rows: list[tuple[Segment, ...]] = []
    widths: dict[int, float] = {}
    for page in list(reading.pages)[:pages]:
        if len(rows) > _MAX_LINES:
            break
        placed = any(word.box.x1 > word.box.x0 for word in page.words)
        words = [part for word in page.words[:_MAX_WORDS] for part in _split(word)] if placed else []
        if page.flattening is not None:
            words = [laid_flat(word, page.flattening) for word in words]
        for group in _rows(words, _slope(words) if page.source == "ocr" else 0.0):
            rows.append(tuple(_segments(group, page, len(rows), placed=True)))
        widths[page.number] = page.width
    if not rows:
        rows = [tuple(_segments(line, _PAGELESS, row, placed=False)) for row, line in _lines(reading.text)]
        widths = {1: max((row[-1].box.x1 for row in rows), default=0.0)}
    flattenings = {page.number: page.flattening for page in reading.pages if page.flattening is not None}
    return Sheet([row for row in rows if row], widths, flattenings)


def fold(text: str) -> str:
    """Lower case without accents, as many characters as before."""
    return "".join(_fold(character) for character in text.translate(_LIKE_ASCII))


def around(boxes: Iterable[Box]) -> Box:
    edges = list(boxes)
    return Box(
        min(box.x0 for box in edges), min(box.y0 for box in edges),
        max(box.x1 for box in edges), max(box.y1 for box in edges),
    )  # fmt: skip


def _fold(character: str) -> str:
    base = unicodedata.normalize("NFKD", character)[:1].lower()
    return base if len(base) == 1 else character


_PAGELESS: Final = Page(1, 0, 0, "text", ())


def _split(word: Word) -> Iterator[Word]:
    """Some readers give whole lines as a word."""
    pieces = list(re.finditer(r"\S+", word.text))
    if len(pieces) == 1 and len(pieces[0].group()) == len(word.text):
        yield word
        return
    width = (word.box.x1 - word.box.x0) / max(len(word.text), 1)
    for piece in pieces:
        left, right = word.box.x0 + piece.start() * width, word.box.x0 + piece.end() * width
        yield Word(piece.group(), Box(left, word.box.y0, right, word.box.y1), word.confidence)


def _rows(words: Sequence[Word], slope: float) -> list[list[Word]]:
    """Words whose middles lie in one another's height make a row."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: _level(word, slope)):
        if rows and _beside(rows[-1], word, slope):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [sorted(row, key=lambda word: word.box.x0) for row in rows]


def _beside(row: Sequence[Word], word: Word, slope: float) -> bool:
    centre = median(_level(other, slope) for other in row[-12:])
    height = max(median(other.box.y1 - other.box.y0 for other in row[-12:]), word.box.y1 - word.box.y0)
    return abs(_level(word, slope) - centre) < 0.45 * height


def _level(word: Word, slope: float) -> float:
    """How far down the middle of a word is on a page whose rows rise or fall by `slope`."""
    return (word.box.y0 + word.box.y1) / 2 - slope * (word.box.x0 + word.box.x1) / 2


def _slope(words: Sequence[Word]) -> float:
    """What a straightened scan still lacks: the slope at which most words are level with others. Half a degree is
    enough to take the end of a wide row for the next one."""
    if len(words) < _FEW_WORDS:
        return 0.0
    bin_height = max(median(word.box.y1 - word.box.y0 for word in words) / 4, 0.5)
    some = words[:_MANY_WORDS]

    def level_words(slope: float) -> int:
        return sum(
            count * count for count in Counter(round(_level(word, slope) / bin_height) for word in some).values()
        )

    return max((step / 1000 for step in range(-25, 26)), key=lambda slope: (level_words(slope), -abs(slope)))


def _segments(row: Sequence[Word], page: Page, number: int, *, placed: bool) -> Iterator[Segment]:
    if not row:
        return
    height = median(word.box.y1 - word.box.y0 for word in row)
    group = [row[0]]
    for word in row[1:]:
        if word.box.x0 - max(other.box.x1 for other in group[-3:]) > WIDE_GAP * height:
            yield _segment(group, page, number, placed=placed)
            group = []
        group.append(word)
    yield _segment(group, page, number, placed=placed)


def _segment(words: Sequence[Word], page: Page, row: int, *, placed: bool) -> Segment:
    text, starts = "", []
    for word in words:
        text += " " if text else ""
        starts.append(len(text))
        text += unicodedata.normalize("NFC", word.text)
    box = around(word.box for word in words)
    return Segment(text, fold(text), tuple(words), tuple(starts), box, page.number, row, page.source == "ocr", placed)


def _lines(text: str) -> Iterator[tuple[int, list[Word]]]:
    """Lines of a text, with places as if it had been typed."""
    for number, line in enumerate(text.splitlines()[:_MAX_LINES]):
        words: list[Word] = []
        column = 0.0
        for part in _COLUMN_BREAK.split(line[:_MAX_LINE]):
            for piece in part.split():
                right = column + len(piece) * CHARACTER_WIDTH
                words.append(Word(piece, Box(column, number * LINE_HEIGHT, right, (number + 0.8) * LINE_HEIGHT)))
                column = right + CHARACTER_WIDTH
            column += 4 * CHARACTER_WIDTH
        if words:
            yield number, words
