"""Dates by pattern, with the letters of CLDR: `EEEE, d 'de' MMMM 'de' yyyy HH:mm`."""

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from bivelio_server.workflows.expressions.errors import EvaluationError, shown
from bivelio_server.workflows.expressions.limits import MAX_DATE_PATTERN
from bivelio_server.workflows.expressions.locales import Locale

_PART: Final = re.compile(r"(?P<letters>([A-Za-z])\2*+)|'(?P<quoted>(?:[^']|'')*+)'|(?P<other>[^A-Za-z'])")


class _Part(NamedTuple):
    """A field, such as `MM`, or text to stand as it is."""

    field: str
    text: str


def date_written(moment: datetime, pattern: str, locale: Locale) -> str:
    return "".join(_FIELDS[part.field](moment, locale) if part.field else part.text for part in _parts(pattern))


def read_date(text: str, pattern: str, locale: Locale) -> date | None:
    """The date in a text that follows the pattern exactly; None when it does not."""
    found: dict[str, int] = {}
    rest = text
    for part in _parts(pattern):
        length, value = _read(part, rest, locale)
        if length < 0:
            return None
        rest = rest[length:]
        if part.field:
            found[part.field[0]] = value
    try:
        return date(found["y"], found.get("M", 1), found.get("d", 1)) if not rest else None
    except (KeyError, ValueError):
        return None


def _parts(pattern: str) -> list[_Part]:
    parts: list[_Part] = []
    position = 0
    while position < len(pattern) <= MAX_DATE_PATTERN:
        match = _PART.match(pattern, position)
        if match is None or (match["letters"] and match["letters"] not in _FIELDS):
            raise _unknown(pattern, pattern[position:] if match is None else match["letters"])
        quoted = match["quoted"]
        text = (match["other"] or "") if quoted is None else quoted.replace("''", "'") or "'"
        parts.append(_Part(match["letters"] or "", text))
        position = match.end()
    if not parts:
        raise _unknown(pattern, pattern)
    return parts


def _unknown(pattern: str, part: str) -> EvaluationError:
    return EvaluationError(
        f"En «{shown(pattern)}» no se entiende «{shown(part)}»: vale short, medium, long, full o como «dd/MM/yyyy».",
        f"In “{shown(pattern)}” there is “{shown(part)}”: write short, medium, long, full or such as “dd/MM/yyyy”.",
    )


def _read(part: _Part, text: str, locale: Locale) -> tuple[int, int]:
    """How many characters a part takes at the start of a text, and what they say; -1 when it is not there."""
    if not part.field:
        return (len(part.text) if text.startswith(part.text) else -1), 0
    if part.field in _NAMES:
        folded = text[:20].lower()
        return next(((len(name), month) for name, month in _months(locale) if folded.startswith(name)), (-1, 0))
    least, most = _DIGITS.get(part.field, (1, 0))
    length = next((size for size in range(most, least - 1, -1) if _is_number(text[:size], size)), -1)
    return length, int(text[:length]) if length > 0 else 0


@lru_cache(maxsize=2)
def _months(locale: Locale) -> list[tuple[str, int]]:
    """What months are called, the longest names first."""
    names = [
        (name.lower(), number)
        for called in (locale.months, locale.short_months)
        for number, name in enumerate(called, 1)
    ]
    return sorted(names, key=lambda named: -len(named[0]))


def _is_number(text: str, size: int) -> bool:
    return len(text) == size and text.isascii() and text.isdigit()


_NAMES: Final = frozenset({"MMM", "MMMM"})
_DIGITS: Final = {"yyyy": (4, 4), "y": (4, 4), "MM": (2, 2), "M": (1, 2), "dd": (2, 2), "d": (1, 2)}
_FIELDS: Final[dict[str, Callable[[datetime, Locale], str]]] = {
    "yyyy": lambda moment, _: f"{moment.year:04}",
    "y": lambda moment, _: f"{moment.year}",
    "yy": lambda moment, _: f"{moment.year % 100:02}",
    "MMMM": lambda moment, locale: locale.months[moment.month - 1],
    "MMM": lambda moment, locale: locale.short_months[moment.month - 1],
    "MM": lambda moment, _: f"{moment.month:02}",
    "M": lambda moment, _: f"{moment.month}",
    "dd": lambda moment, _: f"{moment.day:02}",
    "d": lambda moment, _: f"{moment.day}",
    "EEEE": lambda moment, locale: locale.days[moment.weekday()],
    "EEE": lambda moment, locale: locale.short_days[moment.weekday()],
    "HH": lambda moment, _: f"{moment.hour:02}",
    "H": lambda moment, _: f"{moment.hour}",
    "hh": lambda moment, _: f"{(moment.hour - 1) % 12 + 1:02}",
    "h": lambda moment, _: f"{(moment.hour - 1) % 12 + 1}",
    "a": lambda moment, locale: locale.halves[moment.hour >= 12],
    "mm": lambda moment, _: f"{moment.minute:02}",
    "ss": lambda moment, _: f"{moment.second:02}",
}
