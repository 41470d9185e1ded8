"""From passages in order to results: none says what another has said, and each with its neighbours."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

#: Passages that share so much of the shorter one say the same.
_SAME_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Piece:
    """`[offset_from, offset_to)` of a file's text."""

    text: str
    page_from: int
    page_to: int
    offset_from: int
    offset_to: int


@dataclass(frozen=True, slots=True)
class Passage:
    """The chunk `n` of a file."""

    file_id: str
    file_name: str
    revision: int
    n: int
    score: float
    piece: Piece


@dataclass(frozen=True, slots=True)
class Span:
    """The chunks `first` to `last` of the file of `best`."""

    best: Passage
    first: int
    last: int

    def holds(self, passage: Passage) -> bool:
        return self.best.file_id == passage.file_id and self.first <= passage.n <= self.last

    def touches(self, other: "Span") -> bool:
        return self.best.file_id == other.best.file_id and self.first <= other.last and other.first <= self.last

    def with_(self, others: Iterable["Span"]) -> "Span":
        spans = [self, *others]
        return replace(self, first=min(span.first for span in spans), last=max(span.last for span in spans))


def picked(passages: Sequence[Passage], count: int, neighbours: int) -> list[Span]:
    """At most `count` spans, the best first, of `passages` in order. Those that would overlap are one."""
    spans: list[Span] = []
    texts: set[str] = set()
    for passage in passages:
        if len(spans) >= count:
            break
        text = " ".join(passage.piece.text.split())
        if text in texts or any(span.holds(passage) or _says(span.best, passage) for span in spans):
            continue
        texts.add(text)
        spans = _with(spans, Span(passage, max(0, passage.n - neighbours), passage.n + neighbours))
    return spans


def _with(spans: list[Span], new: Span) -> list[Span]:
    """The new one last; or, where it overlaps others, all of them as one in the place of the best."""
    touching = [span for span in spans if span.touches(new)]
    if not touching:
        return [*spans, new]
    one = touching[0].with_([*touching[1:], new])
    return [one if span is touching[0] else span for span in spans if span not in touching[1:]]


def _says(found: Passage, other: Passage) -> bool:
    if found.file_id != other.file_id:
        return False
    a, b = found.piece, other.piece
    shared = min(a.offset_to, b.offset_to) - max(a.offset_from, b.offset_from)
    return shared > _SAME_SHARE * min(a.offset_to - a.offset_from, b.offset_to - b.offset_from)


def stitched(pieces: Sequence[Piece]) -> Piece:
    """Pieces of one file in order, as one; what they share only once."""
    first, last = pieces[0], pieces[-1]
    return Piece(
        "".join(_texts(pieces)),
        first.page_from,
        max(piece.page_to for piece in pieces),
        first.offset_from,
        max(first.offset_to, last.offset_to),
    )


def _texts(pieces: Sequence[Piece]) -> Iterator[str]:
    """Between two chunks of a text is nothing, or white space that was left out."""
    end = pieces[0].offset_from
    for piece in pieces:
        gap = piece.offset_from - end
        if gap > 0:
            yield " " if gap == 1 else "\n\n"
        yield piece.text[max(0, -gap) :]
        end = max(end, piece.offset_to)
