"""Dates, as Spanish, Catalan, Portuguese and English documents write them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, TypeAlias

from bivelio_server.documents.fields.layout import Segment, Sheet, Span, fold

DayFirst: TypeAlias = Literal["day", "month", "unknown"]

#: Names of the months in Spanish, English, Portuguese, Catalan, French and German, without accents.
_MONTHS: Final = (
    ("enero", "january", "janeiro", "gener", "janvier", "januar"),
    ("febrero", "february", "fevereiro", "febrer", "fevrier", "februar"),
    ("marzo", "march", "marco", "marc", "mars", "marz"),
    ("abril", "april", "avril"),
    ("mayo", "may", "maio", "maig", "mai"),
    ("junio", "june", "junho", "juny", "juin", "juni"),
    ("julio", "july", "julho", "juliol", "juillet", "juli"),
    ("agosto", "august", "agost", "aout"),
    ("septiembre", "setiembre", "september", "setembro", "setembre", "septembre"),
    ("octubre", "october", "outubro", "octobre", "oktober"),
    ("noviembre", "november", "novembro", "novembre"),
    ("diciembre", "december", "dezembro", "desembre", "decembre", "dezember"),
)
MONTH_OF: Final = {name: number for number, names in enumerate(_MONTHS, 1) for name in names} | {
    name[:3]: number for number, names in enumerate(_MONTHS, 1) for name in names if name[:3] not in ("jui", "mar")
} | {"mar": 3, "sept": 9, "jun": 6, "jul": 7}  # fmt: skip
_NAME: Final = "|".join(sorted(MONTH_OF, key=len, reverse=True))

_ISO: Final = re.compile(r"(?<![\d/.-])(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?![\d/])")
_NUMERIC: Final = re.compile(r"(?<![\d/.-])(\d{1,2})(\s?/\s?|[.-])(\d{1,2})\2(\d{4}|\d{2})(?![\d/]|[.,-]\d)")
_NAMED: Final = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:\.|o|st|nd|rd|th)?[\s/.-]{{0,2}}(?:de\s|d'|of\s|del\s)?\s?({_NAME})\b\.?,?[\s/.-]{{0,2}}"
    r"(?:de\s|del\s|d')?\s?(\d{4}|\d{2})(?!\d)"
)
_MONTH_FIRST: Final = re.compile(rf"\b({_NAME})\.?\s(\d{{1,2}})(?:st|nd|rd|th)?\s?,?\s(\d{{4}})(?!\d)")
_EARLIEST: Final = 1900
_LATEST: Final = 2100


@dataclass(frozen=True, slots=True)
class Dated:
    """A date in a segment. `sure` says that it can be read in no other way."""

    value: date
    span: Span
    segment: Segment
    start: int
    end: int
    sure: bool

    @property
    def iso(self) -> str:
        return self.value.isoformat()


def dates_in(segment: Segment, order: DayFirst) -> Iterator[Dated]:
    """The dates of a segment from left to right. With `order` unknown, what may be read in two ways is read day first
    and is not `sure`."""
    seen: list[tuple[int, int]] = []
    for start, end, value, sure in sorted(matches(segment.plain, order), key=lambda match: (match[0], -match[1])):
        if not any(start < other_end and end > other_start for other_start, other_end in seen):
            seen.append((start, end))
            yield Dated(value, segment.span(start, end), segment, start, end, sure)


def parse(text: str, order: DayFirst = "day") -> date | None:
    """The first date in a text."""
    for _, _, value, _ in sorted(matches(fold(text), order)):
        return value
    return None


def day_order(sheet: Sheet, language: str | None) -> DayFirst:
    """Whether 04/03 is the fourth of March: what another date of the document can only be, else what the language
    means. English may mean both."""
    votes = {"day": 0, "month": 0}
    for segment in sheet.segments:
        for match in _NUMERIC.finditer(segment.plain):
            first, second = int(match[1]), int(match[3])
            votes["day"] += 12 < first <= 31 and second <= 12
            votes["month"] += 12 < second <= 31 and first <= 12
    if votes["month"] > votes["day"]:
        return "month"
    return "day" if votes["day"] or language not in ("en", None) else "unknown"


def matches(plain: str, order: DayFirst) -> Iterator[tuple[int, int, date, bool]]:
    """Where each date of a folded text begins and ends, what it is, and whether it can be read in no other way."""
    for match in _ISO.finditer(plain):
        yield from _valid(match, match[1], match[2], match[3], sure=True)
    for match in _NUMERIC.finditer(plain):
        yield from _numeric(match, order)
    for match in _NAMED.finditer(plain):
        yield from _valid(match, match[3], str(MONTH_OF[match[2]]), match[1], sure=True)
    for match in _MONTH_FIRST.finditer(plain):
        yield from _valid(match, match[3], str(MONTH_OF[match[1]]), match[2], sure=True)


def _numeric(match: re.Match[str], order: DayFirst) -> Iterator[tuple[int, int, date, bool]]:
    first, second, year = match[1], match[3], match[4]
    if int(second) > 12 or (order == "month" and int(first) <= 12):
        yield from _valid(match, year, first, second, sure=True)
    else:
        sure = order != "unknown" or int(first) > 12 or first == second
        yield from _valid(match, year, second, first, sure=sure)


def _valid(
    match: re.Match[str], year: str, month: str, day: str, *, sure: bool
) -> Iterator[tuple[int, int, date, bool]]:
    whole = int(year) if len(year) == 4 else 2000 + int(year) if int(year) < 70 else 1900 + int(year)
    try:
        value = date(whole, int(month), int(day))
    except ValueError:
        return
    if _EARLIEST <= whole < _LATEST:
        yield match.start(), match.end(), value, sure
