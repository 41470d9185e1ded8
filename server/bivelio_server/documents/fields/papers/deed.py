"""Deeds: before which notary, under what number, when, and who appeared."""

import re
from typing import Final

from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.flow import Flow, flow
from bivelio_server.documents.fields.found import LABEL_BESIDE, SHAPE, UNRIVALLED, Found, Tree, found
from bivelio_server.documents.fields.papers.contract import signed
from bivelio_server.documents.fields.papers.people import parties
from bivelio_server.documents.fields.papers.wording import date_in_words, number_in_words

_NAME: Final = r"(?:[a-z'·-]+\s){1,5}[a-z'·-]+"
_TITLE: Final = r"(?:don|dona|d\.a|d\.|dna\.)"
_NOTARY: Final = (
    re.compile(rf"ante mi,?\s+(?:{_TITLE}\s+)?({_NAME}?),?\s+notari[oa]"),
    re.compile(rf"{_TITLE}\s+({_NAME}?),?\s+notari[oa] (?:de|del|con|publico)"),
    re.compile(
        rf"notari[oa](?: autorizante)?:?\s+{_TITLE}\s+({_NAME}?)(?=[,.;]"
        rf"|\s+(?:protocolo|numero|notari))"
    ),
)
_PROTOCOL: Final = (
    re.compile(r"(?:numero de protocolo|protocolo numero|protocolo n\.?o?\.?|protocolo)\s*:?\s*(\d[\d.]*)"),
    re.compile(r"(?:^|\s)numero:?\s+(?:[a-z ]{3,60}?\s*)?[(.\-]*\s*(\d[\d.]*)(?=[\s.)\-])"),
)
_PROTOCOL_WORDS: Final = re.compile(r"(?:^|\s)numero:?\s+([a-z]+(?:\s[a-z]+){0,7})\s?[.\-]")
_PLACE: Final = re.compile(
    r"\ben\s+(?:(?:la|el)\s+(?:ciudad|villa|localidad|municipio|pueblo)\s+de\s+)?([a-z][a-z' ]{2,40}?),?"
    r"\s+(?:mi residencia|a\s+[a-z]+(?: y [a-z]+)? de)"
)


def read_deed(document: Document) -> Tree:
    running = flow(document.sheet)
    place, day = signed(document, running)
    return {
        "notary": _notary(running),
        "protocol_number": _protocol(running),
        "date": _date(running) or day,
        "place": _place(running) or place,
        "parties": [one.tree() for one in parties(running)],
    }


def _notary(running: Flow) -> Found | None:
    for pattern in _NOTARY:
        match = pattern.search(running.plain)
        if match is not None:
            span = running.span(*match.span(1))
            return found(span.text, span, LABEL_BESIDE, SHAPE, 0.4)
    return None


def _protocol(running: Flow) -> Found | None:
    """In digits; in words beside them it is checked, in words alone it is translated."""
    for pattern in _PROTOCOL:
        match = pattern.search(running.plain[:20_000])
        if match is not None:
            number = match[1].replace(".", "")
            words = _PROTOCOL_WORDS.search(running.plain[:20_000])
            agrees = words is not None and number_in_words(words[1]) == int(number)
            return found(
                number, running.span(*match.span(1)), LABEL_BESIDE, SHAPE, 0.8 if agrees else 0.0, verified=agrees
            )
    words = _PROTOCOL_WORDS.search(running.plain[:20_000])
    value = number_in_words(words[1]) if words is not None else None
    if words is None or not value:
        return None
    return found(str(value), running.span(*words.span(1)), LABEL_BESIDE, 0.5)


def _date(running: Flow) -> Found | None:
    read = date_in_words(running.plain)
    if read is None:
        return None
    value, start, end = read
    return found(value.isoformat(), running.span(start, end), LABEL_BESIDE, UNRIVALLED, 0.3)


def _place(running: Flow) -> Found | None:
    match = _PLACE.search(running.plain)
    if match is None:
        return None
    span = running.span(*match.span(1))
    return found(span.text, span, LABEL_BESIDE, SHAPE)
