"""Machine-readable zones of ICAO 9303: three lines of 30 characters on cards, two of 44 in passports."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from bivelio_server.documents.fields.layout import Segment, Sheet

_WEIGHTS: Final = (7, 3, 1)
_LINE: Final = re.compile(r"[A-Z0-9<]+")
_DIGITS: Final = str.maketrans("OQDISZBG", "00015286")
_PIVOT: Final = 30


@dataclass(frozen=True, slots=True)
class Zone:
    """`checks` says of each field with a check digit whether that holds; `whole` is the digit over all of them."""

    kind: str
    issuer: str
    number: str
    personal_number: str | None
    surnames: str
    names: str
    nationality: str
    birth: str | None
    expiry: str | None
    sex: str | None
    checks: dict[str, bool]
    whole: bool
    segments: tuple[Segment, ...]


def find(sheet: Sheet) -> Zone | None:
    lines = list(_lines(sheet))
    for index in range(len(lines)):
        texts = [text for text, _ in lines[index : index + 3]]
        segments = tuple(segment for _, segment in lines[index : index + 3])
        if len(texts) == 3 and all(len(text) == 30 for text in texts):
            return _card(texts, segments)
        if len(texts) >= 2 and all(len(text) == 44 for text in texts[:2]):
            return _passport(texts[:2], segments[:2])
    return None


def check_digit(text: str) -> str:
    total = sum(_value(character) * _WEIGHTS[index % 3] for index, character in enumerate(text))
    return str(total % 10)


def _value(character: str) -> int:
    if character == "<":
        return 0
    return int(character) if character.isdigit() else ord(character) - 55


def _lines(sheet: Sheet) -> Iterator[tuple[str, Segment]]:
    """Rows of capitals, digits and at least some fillers. Scans see « for << and spaces between."""
    for row in sheet.rows:
        text = "".join(segment.text for segment in row).replace(" ", "").replace("«", "<<").replace("‹", "<").upper()
        if len(text) >= 28 and _LINE.fullmatch(text) and ("<<" in text or text.count("<") > 1):
            yield _fitted(text), row[0]


def _fitted(text: str) -> str:
    """Fillers at the end are miscounted by scans."""
    for length in (30, 44):
        if abs(len(text) - length) <= 2 and text.endswith("<<"):
            return text[:length].ljust(length, "<") if len(text.rstrip("<")) <= length else text
    return text


def _card(lines: Sequence[str], segments: tuple[Segment, ...]) -> Zone:
    first, second, third = lines
    birth, expiry = second[0:6].translate(_DIGITS), second[8:14].translate(_DIGITS)
    checks = {
        "number": check_digit(first[5:14]) == first[14].translate(_DIGITS),
        "birth": check_digit(birth) == second[6].translate(_DIGITS),
        "expiry": check_digit(expiry) == second[14].translate(_DIGITS),
    }
    everything = first[5:30] + birth + second[6] + expiry + second[14] + second[18:29]
    surnames, names = _names(third)
    return Zone(first[0:2].strip("<"), first[2:5].strip("<"), first[5:14].strip("<"), first[15:30].strip("<") or None,
                surnames, names, second[15:18].strip("<"), _born(birth), _expires(expiry), _sex(second[7]), checks,
                check_digit(everything) == second[29].translate(_DIGITS), segments)  # fmt: skip


def _passport(lines: Sequence[str], segments: tuple[Segment, ...]) -> Zone:
    first, second = lines
    birth, expiry = second[13:19].translate(_DIGITS), second[21:27].translate(_DIGITS)
    checks = {
        "number": check_digit(second[0:9]) == second[9].translate(_DIGITS),
        "birth": check_digit(birth) == second[19].translate(_DIGITS),
        "expiry": check_digit(expiry) == second[27].translate(_DIGITS),
    }
    everything = second[0:10] + birth + second[19] + expiry + second[27:43]
    surnames, names = _names(first[5:])
    return Zone(first[0:2].strip("<"), first[2:5].strip("<"), second[0:9].strip("<"), second[28:42].strip("<") or None,
                surnames, names, second[10:13].strip("<"), _born(birth), _expires(expiry), _sex(second[20]), checks,
                check_digit(everything) == second[43].translate(_DIGITS), segments)  # fmt: skip


def _names(text: str) -> tuple[str, str]:
    surnames, _, names = text.partition("<<")
    return surnames.replace("<", " ").strip(), names.replace("<", " ").strip()


def _sex(character: str) -> str | None:
    return character if character in ("M", "F") else None


def _born(digits: str) -> str | None:
    return _date(digits, latest=_PIVOT)


def _expires(digits: str) -> str | None:
    return _date(digits, latest=99)


def _date(digits: str, latest: int) -> str | None:
    """Two digits of a year: up to `latest` it is of this century."""
    if not digits.isdigit():
        return None
    year = int(digits[:2])
    try:
        return date(2000 + year if year <= latest else 1900 + year, int(digits[2:4]), int(digits[4:6])).isoformat()
    except ValueError:
        return None
