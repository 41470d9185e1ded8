"""Where a value stands in what was read of a document: what a model says is believed no further than that."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from bivelio_server.kit.text import fold
from bivelio_server.reading.port import Box, Page, Reading, Word

_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
#: What stands around a word and is none of it.
_EDGES: Final = ".,;:()[]€$£%\"'«»"


class Place(NamedTuple):
    page: int | None
    box: Box | None


def find(reading: Reading, value: Any) -> Place | None:
    """Where the value stands, in one of the ways in which people write it; None if it does not."""
    for form in _forms(value):
        words = _words(form)
        if not words:
            continue
        for page in reading.pages:
            box = _box(page, words)
            if box is not None:
                return Place(page.number, box)
        if " ".join(words) in " ".join(_words(reading.text)):
            return Place(None, None)
    return None


def _forms(value: Any) -> Iterator[str]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float | Decimal):
        yield from _numbers(Decimal(str(value)))
    elif isinstance(value, str):
        yield value
        if _ISO_DATE.fullmatch(value):
            yield from _dates(value)


def _numbers(value: Decimal) -> Iterator[str]:
    plain = format(value.normalize(), "f")
    cents = f"{value:.2f}"
    for text in dict.fromkeys((cents, plain)):
        whole, _, fraction = text.partition(".")
        grouped = f"{int(whole):,}"
        for digits in dict.fromkeys((whole, grouped.replace(",", "."), grouped, grouped.replace(",", " "))):
            yield from (f"{digits}{mark}{fraction}" for mark in (",", ".")) if fraction else (digits,)


def _dates(value: str) -> Iterator[str]:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return
    for mark in "/-.":
        yield f"{day.day:02}{mark}{day.month:02}{mark}{day.year}"
        yield f"{day.day}{mark}{day.month}{mark}{day.year}"
        yield f"{day.day:02}{mark}{day.month:02}{mark}{day.year % 100:02}"


def _box(page: Page, wanted: Sequence[str]) -> Box | None:
    """Around the words, if they stand on the page one after the other."""
    words = [(part, word) for word in page.words for part in _words(word.text)]
    for start in range(len(words) - len(wanted) + 1):
        if all(words[start + offset][0] == part for offset, part in enumerate(wanted)):
            return _around([word for _, word in words[start : start + len(wanted)]])
    return None


def _around(words: Sequence[Word]) -> Box:
    boxes = [word.box for word in words]
    return Box(
        min(box.x0 for box in boxes), min(box.y0 for box in boxes), max(box.x1 for box in boxes),
        max(box.y1 for box in boxes),
    )  # fmt: skip


def _words(text: str) -> list[str]:
    return [word for part in fold(text).split() if (word := part.strip(_EDGES))]
