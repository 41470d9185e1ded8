"""Dates as people write them in Spanish, English, Catalan and Portuguese, day before month."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

#: By month: full names and abbreviations of the four languages.
_MONTHS: Final = (
    "enero ene january jan gener gen janeiro", "febrero feb february febrer fevereiro fev",
    "marzo mar march març março",
    "abril abr april apr", "mayo may maig mai maio", "junio jun june juny junho", "julio jul july juliol julho",
    "agosto ago august aug agost", "septiembre setiembre sep sept september setembre set setembro",
    "octubre oct october outubro out", "noviembre nov november novembre novembro",
    "diciembre dic december dec desembre des dezembro dez",
)  # fmt: skip
_MONTH_OF: Final = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_NAME: Final = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_DATE: Final = re.compile(
    r"(?<![\w/.-])(?:"
    r"(?P<iso_year>\d{4})-(?P<iso_month>\d\d)-(?P<iso_day>\d\d)"
    r"|(?P<day>\d{1,2})(?P<between>[/.-])(?P<month>\d{1,2})(?P=between)(?P<year>\d{4}|\d{2})"
    rf"|(?P<named_day>\d{{1,2}})(?:º|er|st|nd|rd|th)?\s(?:de\s|d['’]|of\s)?(?P<name>{_NAME})\.?,?\s"
    r"(?:de\s|del\s|de l['’]any\s)?(?P<named_year>\d{4})"
    rf"|(?P<first_name>{_NAME})\.?\s(?P<second_day>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<third_year>\d{{4}})"
    r")(?![\w/]|[.-]\d)",
    re.IGNORECASE,
)


def dates_in(text: str) -> Iterator[tuple[int, int, date]]:
    """Their places and values. Two digits of a year are of this century."""
    for match in _DATE.finditer(text):
        if (found := _value(match)) is not None:
            yield match.start(), match.end(), found


def _value(match: re.Match[str]) -> date | None:
    day = match["iso_day"] or match["day"] or match["named_day"] or match["second_day"]
    year = match["iso_year"] or match["year"] or match["named_year"] or match["third_year"]
    name = match["name"] or match["first_name"]
    month = _MONTH_OF[name.lower()] if name else int(match["iso_month"] or match["month"])
    try:
        return date(int(year) + (2000 if len(year) == 2 else 0), month, int(day))
    except ValueError:
        return None
