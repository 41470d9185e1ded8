"""Tax ids and bank accounts, by their form and their check digits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from stdnum import iban as iban_number
from stdnum.es import cif, dni, nie, nif
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from bivelio_server.documents.fields.layout import Segment, Span

Kind: TypeAlias = Literal["company", "person", "foreign"]

_SEP: Final = r"[-. ]?"
#: 12345678Z, X1234567L, B12345674, written with dots, dashes and spaces as people like; ES may stand before it.
_SPANISH: Final = re.compile(
    rf"(?<![a-z0-9])(?:es{_SEP})?("
    rf"[abcdefghjnpqrsuvw]{_SEP}\d{{2}}{_SEP}\d{{3}}{_SEP}\d{{2}}{_SEP}[0-9a-j]"
    rf"|[xyz]{_SEP}\d{{1}}{_SEP}\d{{3}}{_SEP}\d{{3}}{_SEP}[a-z]"
    rf"|\d{{2}}{_SEP}\d{{3}}{_SEP}\d{{3}}{_SEP}[a-z])(?![a-z0-9])"
)
_FOREIGN: Final = re.compile(
    r"(?<![a-z0-9])((?:at|be|bg|cy|cz|de|dk|ee|el|fi|fr|gb|hr|hu|ie|it|lt|lu|lv|mt|nl|pl|pt|ro|se|si|sk)"
    r"(?:[-. ]?[0-9a-z]){8,12})(?![a-z0-9])"
)
_PORTUGUESE: Final = re.compile(r"\b(?:nif|nipc|contribuinte)\b\D{0,14}(\d{3}[ .]?\d{3}[ .]?\d{3})(?!\d)")
_IBAN: Final = re.compile(r"(?<![a-z0-9])([a-z]{2}\d{2}(?:[ -]?[0-9a-z]{4}){3,7}(?:[ -]?[0-9a-z]{1,3})?)(?![a-z0-9])")
_COMPANY_LETTERS: Final = "ABCDEFGHJNPQRSUVW"
#: What scans take for a digit.
_MISREAD: Final = str.maketrans("OQILSBZG", "00115826")


@dataclass(frozen=True, slots=True)
class TaxId:
    """`number` is compact and without ES. `checked` says that its check digit holds, `mended` that a letter had to be
    taken for a digit first."""

    number: str
    kind: Kind
    span: Span
    segment: Segment
    start: int
    end: int
    checked: bool
    mended: bool = False


def tax_ids_in(segment: Segment) -> Iterator[TaxId]:
    """What has the form of a tax id. Portuguese ones, nine bare digits, count beside their label only."""
    taken: list[tuple[int, int]] = []
    for match in _SPANISH.finditer(segment.plain):
        taken.append(match.span())
        yield _spanish(match, segment)
    for match in _FOREIGN.finditer(segment.plain):
        number = _compact(match[1])
        if vat.is_valid(number) and not _within(match.span(), taken):
            yield TaxId(number, "foreign", segment.span(*match.span(1)), segment, *match.span(1), checked=True)
    for match in _PORTUGUESE.finditer(segment.plain):
        number = _compact(match[1])
        if vat.is_valid(f"PT{number}") and not _within(match.span(1), taken):
            yield TaxId(number, "foreign", segment.span(*match.span(1)), segment, *match.span(1), checked=True)
    if segment.by_ocr and not taken:
        yield from _mended(segment)


def _spanish(match: re.Match[str], segment: Segment) -> TaxId:
    number = _compact(match[1])
    kind: Kind = "company" if number[0] in _COMPANY_LETTERS else "person"
    return TaxId(number, kind, segment.span(*match.span(1)), segment, *match.span(1), checked=nif.is_valid(number))


def _mended(segment: Segment) -> Iterator[TaxId]:
    """A scan that reads B8I234567 means a digit: so it is, when the check digit then holds."""
    for match in re.finditer(r"(?<![a-z0-9])(?:es)?([a-z0-9]{9})(?![a-z0-9])", segment.plain):
        number = match[1].upper()
        for candidate in (number[0] + number[1:8].translate(_MISREAD) + number[8],
                          number[:8].translate(_MISREAD) + number[8]):  # fmt: skip
            if candidate != number and nif.is_valid(candidate):
                kind: Kind = "company" if candidate[0] in _COMPANY_LETTERS else "person"
                span = segment.span(*match.span(1))
                yield TaxId(candidate, kind, span, segment, *match.span(1), checked=True, mended=True)
                break


def ibans_in(segment: Segment) -> Iterator[tuple[str, Span]]:
    """Accounts whose check digits hold."""
    for match in _IBAN.finditer(segment.plain):
        try:
            yield iban_number.validate(match[1].upper()), segment.span(*match.span(1))
        except ValidationError:
            continue


def kind_of(number: str) -> str | None:
    """`dni`, `nie` or `cif`, where the check digit holds."""
    if dni.is_valid(number):
        return "dni"
    if nie.is_valid(number):
        return "nie"
    return "cif" if cif.is_valid(number) else None


def _compact(text: str) -> str:
    return re.sub(r"[-. ]", "", text).upper()


def _within(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(span[0] < end and span[1] > start for start, end in others)
