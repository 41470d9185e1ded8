"""Amounts of money as people write them: `1.452,00 €`, `$1,452.00`, `1 452 EUR`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_SIGNS: Final = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}
_WORDS: Final = {
    "euro": "EUR", "euros": "EUR", "dólar": "USD", "dólares": "USD", "dollar": "USD", "dollars": "USD",
    "libras": "GBP", "pounds": "GBP",
}  # fmt: skip
_CODES: Final = (
    "EUR", "USD", "GBP", "JPY", "CHF", "CNY", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "BRL", "MXN", "COP",
    "ARS", "CLP", "PEN", "UYU", "BOB", "CAD", "AUD", "MAD",
)  # fmt: skip
_NUMBER: Final = r"\d{1,3}(?:[.,' \u00a0\u202f]\d{3}){1,4}(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_CURRENCY: Final = "|".join([*map(re.escape, _SIGNS), *(rf"\b{word}\b" for word in [*_CODES, *_WORDS])])
_AMOUNT: Final = re.compile(
    rf"(?<![\w.,])(?:(?P<before>{_CURRENCY})\s?(?P<minus>[-−])?(?P<last>{_NUMBER})"
    rf"|(?P<negative>[-−])?(?P<first>{_NUMBER})\s?(?P<after>{_CURRENCY}))(?![\d])",
    re.IGNORECASE,
)
_DECIMALS: Final = re.compile(r"[.,](\d{1,2})$")


@dataclass(frozen=True, slots=True)
class Money:
    """`currency` by its ISO code."""

    amount: Decimal
    currency: str


def amounts_in(text: str) -> Iterator[tuple[int, int, Money]]:
    """Their places and values; a number without a currency is none."""
    for match in _AMOUNT.finditer(text):
        number = _number(match["first"] or match["last"])
        sign = -1 if match["negative"] or match["minus"] else 1
        yield match.start(), match.end(), Money(sign * number, _currency(match["before"] or match["after"]))


def _number(written: str) -> Decimal:
    """The last separator is that of the decimals when at most two digits follow it."""
    decimals = _DECIMALS.search(written)
    whole = written[: decimals.start()] if decimals else written
    digits = re.sub(r"\D", "", whole)
    return Decimal(f"{digits}.{decimals[1]}" if decimals else digits)


def _currency(written: str) -> str:
    return _SIGNS.get(written) or _WORDS.get(written.lower()) or written.upper()
