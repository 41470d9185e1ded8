"""Numbers and dates in words, as notaries write them."""

import re
from datetime import date
from typing import Final

_UNITS: Final = {
    "cero": 0, "un": 1, "uno": 1, "una": 1, "primero": 1, "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7,
    "ocho": 8, "nueve": 9, "diez": 10, "once": 11, "doce": 12, "trece": 13, "catorce": 14, "quince": 15, "dieciseis": 16,
    "diecisiete": 17, "dieciocho": 18, "diecinueve": 19, "veinte": 20, "veintiun": 21, "veintiuno": 21, "veintiuna": 21,
    "veintidos": 22, "veintitres": 23, "veinticuatro": 24, "veinticinco": 25, "veintiseis": 26, "veintisiete": 27,
    "veintiocho": 28, "veintinueve": 29, "treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "setenta": 70,
    "ochenta": 80, "noventa": 90, "cien": 100, "ciento": 100, "doscientos": 200, "trescientos": 300, "cuatrocientos": 400,
    "quinientos": 500, "seiscientos": 600, "setecientos": 700, "ochocientos": 800, "novecientos": 900,
}  # fmt: skip
_MONTHS: Final = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre",
                  "diciembre")  # fmt: skip
_NAMES: Final = "|".join(_MONTHS)
_DATE: Final = re.compile(
    rf"\ba?\s?((?:[a-z]+)(?: y [a-z]+)?) (?:dias? )?(?:del? mes )?de ({_NAMES}),?"
    r" (?:del? (?:ano )?)?(dos mil(?: [a-z]+){0,3})"
)


def number_in_words(words: str) -> int | None:
    """Up to 999 999, in lower case without accents. None for other words."""
    total, current = 0, 0
    for word in words.split():
        if word == "y":
            continue
        if word == "mil":
            total, current = total + (current or 1) * 1000, 0
        elif word in _UNITS:
            current += _UNITS[word]
        else:
            return None
    return total + current


def date_in_words(plain: str) -> tuple[date, int, int] | None:
    """The first date that is all in words, with where it begins and ends."""
    for match in _DATE.finditer(plain):
        day, year = number_in_words(match[1]), None
        words = match[3].split()
        for length in range(len(words), 1, -1):
            year = number_in_words(" ".join(words[:length]))
            if year is not None:
                break
        if day is None or year is None:
            continue
        try:
            return date(year, _MONTHS.index(match[2]) + 1, day), match.start(), match.end()
        except ValueError:
            continue
    return None
