"""Names of companies and people: what looks like one, and what surely is none."""

import re
from typing import Final

from bivelio_server.documents.fields.layout import Segment, Span

#: Legal forms, by the letter of the tax id that goes with them; None for those with none.
_FORMS: Final = (
    (re.compile(r"\bs\.?\s?l\.?\s?(?:u|p|l|n\.?e)?\b\.?|\bsociedad limitada"
                r"(?: unipersonal| profesional| laboral)?"), "B"),
    (re.compile(r"\bs\.?\s?a\.?\s?(?:u|l)?\b\.?(?!\w)|\bsociedad anonima(?: unipersonal)?"), "A"),
    (re.compile(r"\bs\.?\s?coop\.?(?:\s?(?:and|mad|v|c\.?l)\.?)?(?!\w)|\bcooperativa\b"), "F"),
    (re.compile(r"\bc\.\s?b\.(?!\w)|\bcomunidad de bienes\b"), "E"),
    (re.compile(r"\b(?:asociacion|fundacion|fundacio|associacio)\b"), "G"),
    (re.compile(r"\bs\.\s?c\.(?:\s?p\.?)?(?!\w)|\bsociedad civil\b"), "J"),
    (re.compile(r"\b(?:ayuntamiento|ajuntament|diputacion|junta de|universidad|ministerio)\b"), "PQS"),
    (re.compile(r"\b(?:ltd|limited|inc|llc|plc|gmbh|ag|sarl|sas|lda|unipessoal|b\.?v|n\.?v|srl|spa|oy|ab"
                r"|corp|sdn\.? bhd)"
                r"\b\.?"), None),
)  # fmt: skip
_ADDRESS: Final = re.compile(
    r"^(?:c/|c\.|calle|cl\.?\s|avda|av\.|avenida|avinguda|plaza|pza|pl\.|placa|paseo|pg\.|passeig"
    r"|p\.?\s?o\s|pol\b|pol\.|poligono"
    r"|carrer|rua|ctra|carretera|camino|cami|apdo|apartado|urb\b|urbanizacion|ronda|travesia|glorieta|via\s"
    r"|street|road"
    r"|edificio|nave\b|local\b|piso|bajo|no\.?\s?\d|lot\s|jalan)"
)
_NO_NAME: Final = re.compile(
    r"@|www\.|https?:|:|\bbic\b|\bswift\b|\bkvk\b|\btel(?:f|efono|\.)|\btlf|\bfax|\bmovil|\be-?mail|\bweb\b|\bfactura\b(?!cion)"
    r"|\binvoice\b|\bfatura\b"
    r"|\bfecha\b|\bdate\b|\bnumero\b|\bn\.?\s?o\b|\bcif\b|\bnif\b|\bn\.i\.f|\bc\.i\.f|\bvat\b|\biban\b"
    r"|\bpagina\b|\bpage\b|\btotal\b"
    r"|\bimporte\b|\bcliente\b|\bcustomer\b|\bproveedor\b|\bemisor\b|\bdatos\b|\bfacturar\b|\bbill to\b"
    r"|\bticket\b|\bvencimiento\b"
    r"|\bregistro mercantil\b|\btomo\b|\bcp\b|\bc\.p\.|\bprovincia\b|\bpais\b|\bespana\b$|\bspain\b$"
    r"|\bforma de pago\b|\brecibo\b"
    r"|\btrabajador\b|\bempresa\b$|\bempleado\b|\bemployee\b|\bemployer\b|^nombre\b|^(?:iban|btw|ustid|tva"
    r"|mwst|igic)$|\bdescripcion\b|\bconcepto\b|\bcantidad\b|\bprecio\b|\boriginal\b|\bduplicado\b"
    r"|\bcopia\b"
    r"|\bdireccion\b|\bdomicilio\b"
)
#: Even what has a legal form is none with these; "Cliente Uno S.L." is one.
_NO_COMPANY: Final = re.compile(
    r"@|www\.|https?:|\btel(?:f|efono|\.|:)|\bregistro mercantil\b|\biban\b|\bfecha\b|\btotal\b|:"
)
_POSTCODE: Final = re.compile(r"(?<!\d)\d{5}(?!\d)|\b\d{4}-\d{3}\b")
_PREFIX: Final = re.compile(
    r"^(?:(?:nombre(?: y apellidos)?(?: o razon social)?|razon social|denominacion(?: social)?|empresa"
    r"|cliente|razon|titular"
    r"|company(?: name)?|name|nome|nom|emisor|receptor|proveedor|destinatario|sr\.?/?(?:sra|a)?\.?|d\."
    r"|dna\.|don|dona|att\.?|attn\.?"
    r"|bill(?:ed)? to|facturar a|expedidor|comprador|vendedor|raoo? social|trabajador(?:/a)?)\s*[:.]\s*)+"
)
_CUT: Final = re.compile(
    r"\s+[-–—·|•]\s+|\s*[|·•]\s*|,\s+(?=con |inscrita|nif|cif|n\.i\.f|c\.i\.f|domicili)|\s+(?=(?:nif|cif"
    r"|n\.i\.f|c\.i\.f|vat)\b)|\s*;\s*"
)
_MAX_NAME: Final = 70


def legal_form(plain: str) -> tuple[int, str | None] | None:
    """Where the first legal form of a text in lower case ends, and the letters of tax ids that go with it."""
    ends = [
        (match.end(), letters)
        for pattern, letters in _FORMS
        for match in pattern.finditer(plain)
        if match.start() > 1 or letters in ("G", "PQS", "F")
    ]
    if not ends:
        return None
    end, letters = min(ends, key=lambda one: one[0])
    return (len(plain) if letters in ("G", "PQS") or "cooperativa" in plain[:end] else end), letters


def agrees(name: str, number: str) -> bool | None:
    """Whether a company's form goes with the letter of its tax id; None where the one or the other says nothing."""
    form = legal_form(name)
    if form is None or form[1] is None:
        return None
    return number[:1] in form[1]


def name_in(segment: Segment, start: int = 0, end: int | None = None) -> Span | None:
    """The name that a piece of a segment is or begins with."""
    stop = len(segment.text) if end is None else end
    prefix = _PREFIX.match(segment.plain[start:stop])
    start += prefix.end() if prefix else 0
    cut = _CUT.search(segment.plain, start, stop)
    stop = cut.start() if cut and cut.start() > start else stop
    form = legal_form(segment.plain[start:stop])
    if form is not None:
        stop = start + form[0]
    while start < stop and segment.text[start] in " ,:;-–·|.":
        start += 1
    while stop > start and segment.text[stop - 1] in " ,:;-–·|(":
        stop -= 1
    return segment.span(start, stop) if _may_be_name(segment.plain[start:stop], form is not None) else None


def _may_be_name(plain: str, has_form: bool) -> bool:
    letters = sum(character.isalpha() for character in plain)
    digits = sum(character.isdigit() for character in plain)
    if letters < 3 or len(plain) > _MAX_NAME or digits > (4 if has_form else 2):
        return False
    words = _NO_COMPANY if has_form else _NO_NAME
    return not _ADDRESS.match(plain) and not words.search(plain) and not _POSTCODE.search(plain)
