"""Identity documents: DNI, NIE cards and passports. The machine-readable zone counts more than what is printed."""

import re
from typing import Final

from stdnum.es import dni, nie

from bivelio_server.documents.fields.choosing import Read, chosen, date_reader
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import CHECK_DIGIT, LABEL_WEAK, SHAPE, Found, Tree, doubted, found
from bivelio_server.documents.fields.labels import label, labelled
from bivelio_server.documents.fields.layout import Segment
from bivelio_server.documents.fields.papers import mrz

_SURNAMES: Final = (label(r"(?:1er |primer )?apellidos?(?: ?/ ?(?:surnames?|cognoms?))?", r"surnames?", r"cognoms?"),)
_NAMES: Final = (label(r"nombre(?: ?/ ?(?:name|nom|given names?))?", r"given names?", r"nom"),)
_BIRTH: Final = (label(r"fecha de nacimiento(?: ?/ ?[a-z ]+)?", r"nacimiento", r"date of birth", r"data de naixement"),)
_EXPIRY: Final = (label(r"valid[eo]z?(?: hasta)?(?: ?/ ?[a-z ]+)?",
                        r"fecha de (?:caducidad|validez|expiracion)", r"caducidad",
                        r"date of expiry",
                        r"valido hasta"),)  # fmt: skip
_WORD: Final = re.compile(r"[A-ZÁÉÍÓÚÜÑÇ][A-ZÁÉÍÓÚÜÑÇ' -]+")


def read_identity(document: Document) -> Tree:
    zone = mrz.find(document.sheet)
    return _of_zone(zone) if zone is not None else _printed(document)


def _of_zone(zone: mrz.Zone) -> Tree:
    personal = _personal_number(zone)
    first, second, last = zone.segments[0], zone.segments[1], zone.segments[-1]
    passport = zone.kind.startswith("P")
    names = first if passport else last
    numbers, dates = (second, second) if passport else (first, second)
    return {
        "kind": _checked(_kind(zone, personal), first, None, zone.whole),
        "document_number": _checked(zone.number or None, numbers, zone.checks["number"], zone.whole),
        "id_number": _checked(personal, numbers, personal is not None, zone.whole),
        "surnames": _unchecked(zone.surnames, names),
        "name": _unchecked(zone.names, names),
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


def _unchecked(value: str, segment: Segment) -> Found | None:
    """No digit checks the names."""
    return found(value, segment.span(), 0.85, SHAPE) if value else None


def _printed(document: Document) -> Tree:
    """The side without a zone: only labels and the letter of the number speak for it."""
    ids = [one for one in document.tax_ids if one.checked and one.kind == "person"]
    number = found(ids[0].number, ids[0].span, CHECK_DIGIT, SHAPE, verified=True) if ids else None
    kind = None if not ids else ("nie" if nie.is_valid(ids[0].number) else "dni")
    read_date = date_reader(document)
    return {
        "kind": found(kind, ids[0].span, CHECK_DIGIT, verified=True) if kind else None,
        "document_number": None,
        "id_number": number,
        "surnames": chosen(list(labelled(document.sheet, _SURNAMES, _read_name))),
        "name": chosen(list(labelled(document.sheet, _NAMES, _read_name))),
        "nationality": None,
        "birth_date": chosen(list(labelled(document.sheet, _BIRTH, read_date))),
        "expiry_date": chosen(list(labelled(document.sheet, _EXPIRY, read_date))),
        "sex": None,
    }


def _read_name(segment: Segment, start: int) -> Read | None:
    match = _WORD.match(segment.text, start)
    return None if match is None else Read(match.group().strip(), segment.span(*match.span()))
