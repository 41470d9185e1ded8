"""Values by their labels: what stands after a label in its segment, beside it, or below it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from bivelio_server.documents.fields.found import LABEL_BELOW, LABEL_BESIDE
from bivelio_server.documents.fields.layout import Segment, Sheet

Value = TypeVar("Value")

#: How far below a label its value may stand, in heights of the label.
_BELOW: Final = 3.2
_ROWS_BELOW: Final = 3
#: A label may explain itself: "Líquido a percibir (A − B):".
_AFTER_LABEL: Final = re.compile(r"[\s:.\-–#=>]*(?:\([^)]{0,20}\)[\s:.]*)?")


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Value]):
    """`strength` is how much the label's wording and the value's place speak for it."""

    value: Value
    strength: float
    label: Segment


@dataclass(frozen=True, slots=True)
class Label:
    """`pattern` is for text in lower case without accents. `strength` is 1 where the words mean nothing else."""

    pattern: re.Pattern[str]
    strength: float = 1.0


def label(*wordings: str, strength: float = 1.0) -> Label:
    return Label(re.compile(rf"(?<![a-z])(?:{'|'.join(wordings)})(?![a-z])"), strength)


#: Reads a value at a place of a segment, or says None.
Reader = Callable[[Segment, int], Value | None]


def labelled(sheet: Sheet, labels: Sequence[Label], read: Reader[Value]) -> Iterator[Candidate[Value]]:
    """What `read` makes of the places where values of these labels may stand. One value for each place of a label,
    which counts for the first of `labels` that has it."""
    for row in sheet.rows:
        for position, segment in enumerate(row):
            taken: list[tuple[int, int]] = []
            for known in labels:
                for match in known.pattern.finditer(segment.plain):
                    if any(match.start() < end and match.end() > start for start, end in taken):
                        continue
                    taken.append(match.span())
                    yield from _at(sheet, row, position, match, known, read)


def _at(
    sheet: Sheet, row: Sequence[Segment], position: int, match: re.Match[str], known: Label, read: Reader[Value]
) -> Iterator[Candidate[Value]]:
    segment = row[position]
    after = _AFTER_LABEL.match(segment.plain, match.end())
    start = after.end() if after else match.end()
    value = read(segment, start) if start < len(segment.plain) else None
    if value is not None:
        yield Candidate(value, LABEL_BESIDE * known.strength, segment)
        return
    if start >= len(segment.plain) and position + 1 < len(row):
        value = read(row[position + 1], 0)
        if value is not None:
            yield Candidate(value, LABEL_BESIDE * known.strength, segment)
            return
    for other in below(sheet, segment):
        value = read(other, 0)
        if value is not None:
            yield Candidate(value, LABEL_BELOW * known.strength, segment)
            return


def below(sheet: Sheet, segment: Segment, reach: float = _BELOW, rows: int = _ROWS_BELOW) -> Iterator[Segment]:
    """Segments under this one, the nearest first."""
    for other_row in sheet.after(segment, rows):
        for other in other_row:
            gap = other.box.y0 - segment.box.y1
            if other.page == segment.page and gap < reach * segment.height and overlap(segment, other) > 0:
                yield other


def overlap(one: Segment, other: Segment) -> float:
    """How much of the narrower of the two stands over the other, from 0 to 1; negative is the gap between them."""
    shared = min(one.box.x1, other.box.x1) - max(one.box.x0, other.box.x0)
    return shared / max(min(one.box.x1 - one.box.x0, other.box.x1 - other.box.x0), 1.0)
