"""Payslips: who earned what from whom in which month, and that gross − deductions is net."""

import calendar
import re
from datetime import date
from itertools import product
from typing import Final

from bivelio_server.documents.fields.amounts import Amount
from bivelio_server.documents.fields.choosing import Read, chosen, money_reader
from bivelio_server.documents.fields.dates import MONTH_OF, parse
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import (
    ARITHMETIC,
    CHECK_DIGIT,
    LABEL_BESIDE,
    SHAPE,
    UNRIVALLED,
    Found,
    Tree,
    found,
)  # fmt: skip
from bivelio_server.documents.fields.invoices.invoice import money_of
from bivelio_server.documents.fields.invoices.parties import name_beside
from bivelio_server.documents.fields.labels import Candidate, label, labelled
from bivelio_server.documents.fields.layout import Segment
from bivelio_server.documents.fields.names import name_in
from bivelio_server.documents.fields.rounding import near

_GROSS: Final = (label(r"(?:a\.?\s)?total devengad[oa]s?", r"total devengos", r"total bruto", r"salario bruto",
                       r"gross pay", r"total meritat"),
                 label(r"devengado|bruto", strength=0.7))  # fmt: skip
_DEDUCTIONS: Final = (
    label(
        r"(?:b\.?\s)?total a deducir", r"total deducciones", r"total deducido", r"total deductions", r"total a deduir"
    ),
)
_NET: Final = (label(r"liquido (?:total )?a percibir", r"total liquido", r"neto a percibir", r"net pay",
                     r"liquid a percebre", r"importe neto"),
               label(r"liquido|neto", strength=0.7))  # fmt: skip
_EMPLOYEE: Final = (
    label(r"trabajador(?:/a|a)?", r"empleado(?:/a)?", r"employee", r"nombre(?: y apellidos)?", r"treballador(?:/a)?"),
)
_EMPLOYER: Final = (label(r"empresa", r"employer", r"razon social"),)
_RANGE: Final = re.compile(
    r"(?:del?|desde|from)?\s*(\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4})\s*(?:al?|hasta|to"
    r"|-)\s*(\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4})"
)
_DAYS: Final = re.compile(r"del?\s+(\d{1,2})\s+al?\s+(\d{1,2})\s+de\s+([a-z]+)\s+(?:de\s+|del\s+)?(\d{4})")
_MONTH: Final = re.compile(r"(?<![a-z])([a-z]{4,})\s*(?:de\s+|del\s+|/|-)?\s*(20\d\d)(?!\d)")
_SOCIAL: Final = re.compile(r"(?<!\d)(\d{2}[ /-]?\d{8}[ /-]?\d{2})(?!\d)")


def read_payslip(document: Document) -> Tree:
    gross, deductions, net = _sums(document)
    start, end = _period(document)
    return {
        "employee": _party(document, company=False),
        "employer": _party(document, company=True),
        "period": {"start": start, "end": end},
        "gross": gross,
        "deductions": deductions,
        "net": net,
        "currency": money_of(document),
    }


def _sums(document: Document) -> tuple[Found | None, Found | None, Found | None]:
    """Those that fulfil gross − deductions = net, if any do; else what the labels say."""
    read = [list(labelled(document.sheet, labels, money_reader(document))) for labels in (_GROSS, _DEDUCTIONS, _NET)]
    for earned, taken, paid in product(*read):
        if near(earned.value.value - abs(taken.value.value), paid.value.value):
            return _sum(earned), _sum(taken), _sum(paid)
    gross, deductions, net = (chosen([_as_read(one) for one in candidates]) for candidates in read)
    return gross, deductions, net


def _sum(candidate: Candidate[Amount]) -> Found:
    return found(abs(candidate.value.value), candidate.value.span, candidate.strength, ARITHMETIC, verified=True)


def _as_read(candidate: Candidate[Amount]) -> Candidate[Read]:
    return Candidate(Read(abs(candidate.value.value), candidate.value.span), candidate.strength - 0.2, candidate.label)


def _party(document: Document, *, company: bool) -> Tree:
    """The company's tax id is the employer's, the person's the employee's."""
    kind = "company" if company else "person"
    ids = [one for one in document.tax_ids if one.checked and one.kind == kind]
    named = list(labelled(document.sheet, _EMPLOYER if company else _EMPLOYEE, _read_name))
    name = chosen(named) if named else (name_beside(document, ids[0]) if ids else None)
    alone = len({one.number for one in ids}) == 1
    number = (
        found(ids[0].number, ids[0].span, CHECK_DIGIT, SHAPE, UNRIVALLED if alone else 0.0, verified=alone)
        if ids
        else None
    )
    return {"name": name, "nif": number}


def _read_name(segment: Segment, start: int) -> Read | None:
    span = name_in(segment, start)
    return None if span is None or span.text != segment.text[start : start + len(span.text)] else Read(span.text, span)


def _period(document: Document) -> tuple[Found | None, Found | None]:
    for segment in document.sheet.segments:
        days = _DAYS.search(segment.plain)
        if days is not None:
            start, end = (parse(f"{days[which]} {days[3]} {days[4]}") for which in (1, 2))
            if start is not None and end is not None:
                return _pair(segment, days, start, end, LABEL_BESIDE, UNRIVALLED)
        dates = document.dates(segment)
        if _RANGE.search(segment.plain) is not None and len(dates) >= 2:
            first, last = dates[0], dates[1]
            return (
                found(first.iso, first.span, LABEL_BESIDE, UNRIVALLED),
                found(last.iso, last.span, LABEL_BESIDE, UNRIVALLED),
            )
    return _month(document)


def _month(document: Document) -> tuple[Found | None, Found | None]:
    for segment in document.sheet.segments:
        for match in _MONTH.finditer(segment.plain):
            month, year = MONTH_OF.get(match[1]), int(match[2])
            if month is not None:
                last = calendar.monthrange(year, month)[1]
                return _pair(segment, match, date(year, month, 1), date(year, month, last), LABEL_BESIDE)
    return None, None


def _pair(segment: Segment, match: re.Match[str], start: date, end: date, *checks: float) -> tuple[Found, Found]:
    span = segment.span(*match.span())
    return found(start.isoformat(), span, *checks), found(end.isoformat(), span, *checks)
