"""Amounts of money and percentages, as Spanish (1.234,56) or as English (1,234.56) write them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from bivelio_server.documents.fields.layout import Segment, Sheet, Span

Mark: TypeAlias = Literal[",", "."]

_NUMBER: Final = r"\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d{1,6})?|\d+(?:[.,]\d{1,6})?"
#: A number that is no part of a code, a date or a longer number.
_AMOUNT: Final = re.compile(
    rf"(?<![\w.,/:#-])(?P<sign>[-−–(]\s?)?(?P<before>€|EUR|\$|USD|£|GBP|RM)?\s?(?P<inner>[-−])?(?P<number>{_NUMBER})"
    r"(?P<after>\s?(?:€|EUR|euros?\b|\$|USD|£|GBP|h\b|ud\b|uds\b|%))?(?P<trailing>\)|-(?!\d|\w))?(?![\w/:]|[.,-]\d)",
    re.IGNORECASE,
)
#: No amount of money has more; what has is a code.
_MAX_DIGITS: Final = 18
_CURRENCIES: Final = {"€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "usd": "USD", "£": "GBP",
                      "gbp": "GBP", "rm": "MYR"}  # fmt: skip
_CURRENCY: Final = re.compile(r"€|\beuros?\b|\beur\b|\$|\busd\b|£|\bgbp\b|\brm(?=\s?\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number in a segment. `percent` says that a % stands behind it, `decimals` how many digits its fraction has."""

    value: Decimal
    span: Span
    segment: Segment
    start: int
    end: int
    percent: bool
    decimals: int

    @property
    def money(self) -> bool:
        return not self.percent and self.decimals == 2

    @property
    def row(self) -> int:
        return self.segment.row

    @property
    def start_x(self) -> float:
        """Where it begins on its page."""
        return self.span.box.x0


def amounts_in(segment: Segment, mark: Mark) -> Iterator[Amount]:
    """The numbers of a segment, read with `mark` before their decimals."""
    for match in _AMOUNT.finditer(segment.text):
        number = match["number"]
        value = parse(number, mark)
        if value is None:
            continue
        percent = (match["after"] or "").strip() == "%"
        value = -value if _is_negative(match) and not percent else value
        decimals = max(-int(value.as_tuple().exponent), 0)
        span = segment.span(match.start(), match.end())
        yield Amount(value, span, segment, match.start(), match.end(), percent, decimals)


def _is_negative(match: re.Match[str]) -> bool:
    if match["inner"] or (match["sign"] or "(")[0] != "(":
        return True
    return match["trailing"] == "-" or ((match["sign"] or "")[:1] == "(" and match["trailing"] == ")")


def parse(text: str, mark: Mark = ",") -> Decimal | None:
    """A number whose decimals come after `mark`, unless it can only be read the other way. None if it is neither."""
    digits = text.replace(" ", "").replace("'", "")
    sign = "-" if digits[:1] in ("-", "−", "–") else ""
    digits = digits.lstrip("-−–")
    if len(digits) > _MAX_DIGITS or not re.fullmatch(r"\d[\d.,]*", digits):
        return None
    for decimal in (mark, "." if mark == "," else ","):
        thousands = "." if decimal == "," else ","
        if re.fullmatch(rf"(\d+|\d{{1,3}}({re.escape(thousands)}\d{{3}})+)({re.escape(decimal)}\d+)?", digits):
            return Decimal(sign + digits.replace(thousands, "").replace(decimal, "."))
    return None


def decimal_mark(sheet: Sheet) -> Mark:
    """The mark that this document writes before cents: the one most numbers with two decimals have."""
    votes = {",": 0, ".": 0}
    for segment in sheet.segments:
        for match in re.finditer(r"(?<![\d.,])(?:\d{1,3}(?:[., ]\d{3})*|\d+)([.,])\d{2}(?![\d.,/-]\d?)", segment.text):
            votes[match[1]] += 1
    return "." if votes["."] > votes[","] else ","


@dataclass(frozen=True, slots=True)
class Currency:
    """The currency that is named most often, how often, and where first; `alone` if no other is named."""

    code: str
    count: int
    alone: bool
    span: Span


def currency(sheet: Sheet) -> Currency | None:
    counts: dict[str, int] = {}
    places: dict[str, Span] = {}
    for segment in sheet.segments:
        for match in _CURRENCY.finditer(segment.text):
            code = _CURRENCIES[match.group().lower()]
            counts[code] = counts.get(code, 0) + 1
            places.setdefault(code, segment.span(*match.span()))
    if not counts:
        return None
    code = max(counts, key=lambda code: counts[code])
    return Currency(code, counts[code], len(counts) == 1, places[code])
