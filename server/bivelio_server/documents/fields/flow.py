"""A document read on and on, as contracts and deeds are: one text, from which there is a way back to the places."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from bivelio_server.documents.fields.layout import Segment, Sheet, Span

_MAX_SEGMENTS: Final = 4000


@dataclass(frozen=True, slots=True)
class Flow:
    """`plain` is `text` in lower case without accents, character by character."""

    text: str
    plain: str
    segments: tuple[Segment, ...]
    starts: tuple[int, ...]

    def span(self, start: int, end: int) -> Span:
        """The place is that of the part in the first segment; the text is all of it."""
        index = max(bisect_right(self.starts, start) - 1, 0)
        segment, begin = self.segments[index], self.starts[index]
        part = segment.span(start - begin, min(end - begin, len(segment.text)))
        return Span(
            " ".join(self.text[start:end].split()), part.page, part.box, part.confidence, part.by_ocr, part.placed
        )


def flow(sheet: Sheet) -> Flow:
    segments = tuple(segment for segment in sheet.segments)[:_MAX_SEGMENTS]
    text, plain, starts = [], [], []
    length = 0
    for segment in segments:
        starts.append(length)
        text.append(segment.text)
        plain.append(segment.plain)
        length += len(segment.text) + 1
    return Flow(" ".join(text), " ".join(plain), segments, tuple(starts))
