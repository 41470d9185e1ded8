"""Identity documents: DNI, NIE cards and passports. The machine-readable zone counts more than what is printed."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from typing import Final

from stdnum.es import dni, nie

from bivelio_server.documents.fields.choosing import Read, chosen, date_reader
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import (
    CHECK_DIGIT,
    LABEL_BESIDE,
    LABEL_WEAK,
    REPEATED,
    SHAPE,
    Found,
    Tree,
    doubted,
    found,
)
from bivelio_server.documents.fields.labels import Label, Reader, label, labelled
from bivelio_server.documents.fields.layout import Segment, Sheet
from bivelio_server.documents.fields.papers import mrz

_SURNAMES: Final = (label(r"(?:1er |primer )?apellidos?(?: ?/ ?(?:surnames?|cognoms?))?", r"surnames?", r"cognoms?"),)
_NAMES: Final = (label(r"nombre(?: ?/ ?(?:name|nom|given names?))?", r"given names?", r"nom"),)
_BIRTH: Final = (label(r"fecha de nacimiento(?: ?/ ?[a-z ]+)?", r"nacimiento", r"date of birth", r"data de naixement"),)
_EXPIRY: Final = (label(r"valid[eo]z?(?: hasta)?(?: ?/ ?[a-z ]+)?",
                        r"fecha de (?:caducidad|validez|expiracion)", r"caducidad",
                        r"date of expiry",
                        r"valido hasta"),)  # fmt: skip
_SEX: Final = (label(r"sexo(?: ?/ ?sexe?)?", r"sexe?"),)
_NATIONALITY: Final = (label(r"nacionalidad(?: ?/ ?nat(?:ionality|\.)?)?", r"nationality", r"nacionalitat"),)
_CARD: Final = (label(r"(?:num\.? ?|n\.?o ?)?soporte?(?: ?n\.?o\.?)?", r"idesp",
                      r"(?:pasaporte|passport) (?:n\.?o|no\.?)(?: ?/ ?passport no\.?)?"),)  # fmt: skip
_WORD: Final = re.compile(r"[A-ZÁÉÍÓÚÜÑÇ][A-ZÁÉÍÓÚÜÑÇ' -]+")
_SEX_LETTER: Final = re.compile(r"[MF]\b")
_COUNTRY: Final = re.compile(r"[A-Z]{3}\b")
_CARD_NUMBER: Final = re.compile(r"[A-Z]{3}\d{6}\b")
#: Cards write dates with spaces.
_SPACED: Final = re.compile(r"(\d{2}) (\d{2}) ((?:19|20)\d{2})\b")
#: A zone writes names without accents and Ñ as N, so its names alone are not surely those of the person.
_PLAIN_NAMES: Final = 0.85


def read_identity(document: Document) -> Tree:
    zone = mrz.find(document.sheet)
    return _of_zone(zone, document.sheet) if zone is not None else _printed(document)


def _of_zone(zone: mrz.Zone, sheet: Sheet) -> Tree:
    personal = _personal_number(zone)
    first, second, last = zone.segments[0], zone.segments[1], zone.segments[-1]
    passport = zone.kind.startswith("P")
    names = first if passport else last
    numbers, dates = (second, second) if passport else (first, second)
    return {
        "kind": _checked(_kind(zone, personal), first, None, zone.whole),
        "document_number": _checked(zone.number or None, numbers, zone.checks["number"], zone.whole),
        "id_number": _checked(personal, numbers, personal is not None, zone.whole),
        "surnames": _written(zone.surnames, names, sheet),
        "name": _written(zone.names, names, sheet),
        "nationality": _checked(zone.nationality or None, second, None, zone.whole),
        "birth_date": _checked(zone.birth, dates, zone.checks["birth"], zone.whole),
        "expiry_date": _checked(zone.expiry, dates, zone.checks["expiry"], zone.whole),
        "sex": _checked(zone.sex, dates, None, zone.whole),
    }


def _kind(zone: mrz.Zone, personal: str | None) -> str:
    if zone.kind.startswith("P"):
        return "passport"
    if personal is not None and nie.is_valid(personal):
        return "nie"
    return "dni" if zone.issuer == "ESP" else "id_card"


def _personal_number(zone: mrz.Zone) -> str | None:
    number = (zone.personal_number or "").replace("<", "")
    return number if dni.is_valid(number) or nie.is_valid(number) else None


def _checked(value: str | None, segment: Segment, own: bool | None, whole: bool) -> Found | None:
    """`own` is None for what has no check digit of its own. One that fails is not made up for by that of the whole."""
    if value is None:
        return None
    if own is False:
        return doubted(found(value, segment.span(), LABEL_WEAK), LABEL_WEAK)
    checks = (CHECK_DIGIT if own else 0.0, CHECK_DIGIT if whole else 0.0)
    return found(value, segment.span(), LABEL_WEAK, *checks, verified=bool(own) or whole)


def _written(value: str, names: Segment, sheet: Sheet) -> Found | None:
    """As it is printed on the other side, with its accents, where that is what the zone says."""
    if not value:
        return None
    wanted = value.lower()
    for segment in sheet.segments:
        at = segment.plain.find(wanted)
        if at >= 0 and segment is not names and _stands_alone(segment, at, at + len(wanted)):
            span = segment.span(at, at + len(wanted))
            return found(span.text, span, LABEL_BESIDE, SHAPE, REPEATED)
    return doubted(found(value, names.span(), LABEL_BESIDE, SHAPE), _PLAIN_NAMES)


def _stands_alone(segment: Segment, start: int, end: int) -> bool:
    around = segment.plain[:start][-1:] + segment.plain[end : end + 1]
    return not any(character.isalnum() or character == "<" for character in around)


def _printed(document: Document) -> Tree:
    """The side without a zone: only labels and the letter of the number speak for it."""
    ids = [one for one in document.tax_ids if one.checked and one.kind == "person"]
    number = found(ids[0].number, ids[0].span, CHECK_DIGIT, SHAPE, verified=True) if ids else None
    kind = None if not ids else ("nie" if nie.is_valid(ids[0].number) else "dni")
    read_date = _date_reader(document)
    return {
        "kind": found(kind, ids[0].span, CHECK_DIGIT, verified=True) if kind else None,
        "document_number": _labelled(document, _CARD, _CARD_NUMBER),
        "id_number": number,
        "surnames": chosen(list(labelled(document.sheet, _SURNAMES, _read_name))),
        "name": chosen(list(labelled(document.sheet, _NAMES, _read_name))),
        "nationality": _labelled(document, _NATIONALITY, _COUNTRY),
        "birth_date": chosen(list(labelled(document.sheet, _BIRTH, read_date))),
        "expiry_date": chosen(list(labelled(document.sheet, _EXPIRY, read_date))),
        "sex": _labelled(document, _SEX, _SEX_LETTER),
    }


def _labelled(document: Document, labels: Sequence[Label], pattern: re.Pattern[str]) -> Found | None:
    def read(segment: Segment, start: int) -> Read | None:
        match = pattern.match(segment.text, start)
        return None if match is None else Read(match.group(), segment.span(*match.span()))

    return chosen(list(labelled(document.sheet, labels, read)))


def _date_reader(document: Document) -> Reader[Read]:
    usual = date_reader(document)

    def read(segment: Segment, start: int) -> Read | None:
        match = _SPACED.match(segment.plain, start)
        if match is None:
            return usual(segment, start)
        with suppress(ValueError):
            return Read(date(int(match[3]), int(match[2]), int(match[1])).isoformat(), segment.span(*match.span()))
        return None

    return read


def _read_name(segment: Segment, start: int) -> Read | None:
    match = _WORD.match(segment.text, start)
    return None if match is None else Read(match.group().strip(), segment.span(*match.span()))
