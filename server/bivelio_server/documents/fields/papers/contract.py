"""Contracts: who with whom, since when, for how long, for how much, signed where."""

import re
from typing import Final

from bivelio_server.documents.fields.amounts import parse
from bivelio_server.documents.fields.dates import matches
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.flow import Flow, flow
from bivelio_server.documents.fields.found import LABEL_BESIDE, LABEL_WEAK, SHAPE, UNRIVALLED, Found, Tree, found
from bivelio_server.documents.fields.invoices.invoice import money_of
from bivelio_server.documents.fields.papers.people import parties
from bivelio_server.documents.fields.papers.wording import number_in_words

#: "En Madrid, a 3 de abril de 2026": where and when it is signed.
_SIGNED: Final = re.compile(
    r"(?:^|[\s.;])(?:en|a|in|em)\s+([a-z][a-z' -]{2,40}?),?\s+(?:a|el|on|als"
    r"|aos)\s+(?:dia\s+)?(?=\d{1,2}\W{1,3}(?:de\s|d'|of\s)?[a-z]{3,}|\d{1,2}[/-]\d)"
)
_DURATION: Final = re.compile(
    r"(?:duracion|plazo|vigencia|periodo|term|duration|durada|duracao|prazo)\b[^.;]{0,80}?\b"
    r"(?:(\d{1,3})|([a-z]+(?: y [a-z]+)?)(?: \((\d{1,3})\))?)\s+(meses|mes|anos|ano|anualidad(?:es)?|dias"
    r"|semanas|months?|years?|days|weeks|mesos|anys?)\b"
)
_AMOUNT: Final = re.compile(
    r"(?:precio|renta|retribucion|importe|honorarios|cantidad|contraprestacion|price|fee|rent|salario"
    r"|remuneracion|preu|preco|cuota)"
    r"\b[^.;]{0,140}?(?<![\d.,])(\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{2})?|\d+(?:[.,]\d{2})?)\s?(?:€|euros?\b|eur\b)"
)
_UNITS: Final = {"m": "M", "a": "Y", "y": "Y", "d": "D", "s": "W", "w": "W"}


def read_contract(document: Document) -> Tree:
    running = flow(document.sheet)
    place, day = signed(document, running)
    return {
        "parties": [one.tree() for one in parties(running)],
        "date": day,
        "duration": _duration(running),
        "amount": _amount(document, running),
        "currency": money_of(document),
        "signature_place": place,
    }


def signed(document: Document, running: Flow) -> tuple[Found | None, Found | None]:
    """The place and the date of the signature. Said twice, at the head and at the foot, both agree."""
    places = []
    for match in _SIGNED.finditer(running.plain):
        segment_dates = _dates_after(document, running, match.end())
        if segment_dates:
            places.append((match, segment_dates))
    if not places:
        return None, _any_date(document)
    match, (iso, start, end) = places[0]
    alone = len({dated[0] for _, dated in places}) == 1
    repeated = 0.6 if len(places) > 1 and alone else 0.0
    place = running.span(*match.span(1))
    checks = (LABEL_BESIDE, SHAPE, UNRIVALLED if alone else 0.0, repeated)
    return found(place.text, place, *checks), found(iso, running.span(start, end), *checks, verified=bool(repeated))


def _dates_after(document: Document, running: Flow, start: int) -> tuple[str, int, int] | None:
    """The date that begins there, even where a line ends within it."""
    for begin, end, value, _ in sorted(matches(running.plain[start : start + 60], document.order)):
        if begin <= 4:
            return value.isoformat(), start + begin, start + end
    return None


def _any_date(document: Document) -> Found | None:
    dates = [dated for segment in document.sheet.segments for dated in document.dates(segment)]
    if len({dated.value for dated in dates}) != 1:
        return None
    return found(dates[0].iso, dates[0].span, LABEL_WEAK, 0.4)


def _duration(running: Flow) -> Found | None:
    """ISO 8601: P12M is twelve months."""
    values: dict[str, re.Match[str]] = {}
    for match in _DURATION.finditer(running.plain):
        count = int(match[1] or match[3] or 0) or number_in_words(match[2] or "")
        if count:
            values.setdefault(f"P{count}{_UNITS[match[4][0]]}", match)
    if not values:
        return None
    value, match = next(iter(values.items()))
    agrees = match[2] is not None and match[3] is not None and number_in_words(match[2]) == int(match[3])
    start = match.start(1) if match[1] else match.start(2)
    checks = (LABEL_BESIDE, UNRIVALLED if len(values) == 1 else 0.0, 0.6 if agrees else 0.0)
    return found(value, running.span(start, match.end(4)), *checks, verified=agrees)


def _amount(document: Document, running: Flow) -> Found | None:
    matches = list(_AMOUNT.finditer(running.plain))
    if not matches:
        return None
    values = {match[1] for match in matches}
    value = parse(matches[0][1], document.mark)
    if value is None:
        return None
    return found(value, running.span(*matches[0].span(1)), LABEL_BESIDE, UNRIVALLED if len(values) == 1 else 0.0)
