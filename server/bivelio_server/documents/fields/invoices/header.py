"""The number and the dates of an invoice."""

import re
from collections.abc import Iterator
from typing import Final

from bivelio_server.documents.fields.choosing import Read, chosen, date_reader
from bivelio_server.documents.fields.dates import parse
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import LABEL_WEAK, UNRIVALLED, Found, found
from bivelio_server.documents.fields.labels import Candidate, label, labelled
from bivelio_server.documents.fields.layout import Segment
from bivelio_server.documents.fields.tax_ids import kind_of

_NO: Final = r"(?:n\.?\s?o\.?|num\.?(?:ero)?|no\.?|nro\.?|#)"
_INVOICE: Final = (
    r"(?:factura(?: simplificada| rectificativa| proforma)?|fra\.?|fatura|invoice|ticket|tiquet|tique|recibo)"
)
NUMBER_LABELS: Final = (
    label(rf"{_NO}\s?(?:de\s|da\s)?(?:la\s)?(?:{_INVOICE}|documento)", rf"{_INVOICE}\s?(?:[-:]\s?)?{_NO}",
          r"invoice (?:number|id|reference)", r"numero\s?:?\s?(?:de\s)?(?:factura|fatura|ticket)",
          r"(?:codigo|referencia) (?:de )?factura", rf"factura[- ]recibo\s?{_NO}?", rf"nota de (?:cargo|abono) {_NO}",
          r"(?:document|receipt|bill) (?:no|number)\.?", rf"rechnungs?(?:nr|nummer)\.?|factuurnummer"
                                                         rf"|facture {_NO}|numero de facture"),
    label(rf"{_INVOICE}(?=\s?[:#]|\s+[a-z]{{0,5}}[-/]?\d)", r"serie y numero", strength=0.85),
    label(rf"^{_INVOICE}\W*$", strength=0.7),
    label(r"(?:n\.\s?o|n o|no|num|numero|number)\s?[.:]", r"numero|documento", strength=0.6),
)  # fmt: skip
DATE_LABELS: Final = (
    label(r"fecha (?:de )?(?:la )?(?:factura|emision|expedicion|fra\.?)", r"(?:invoice|issue|issued|bill) date",
          r"date of issue", r"data (?:de |da |d')?(?:emissao|emissio|fatura|factura|expedicio)", r"expedida el",
          r"emitida el", r"rechnungsdatum|factuurdatum|date de (?:la )?facture|date of invoice"),
    label(r"fecha y hora|fecha/hora",
          r"fecha(?! (?:de )?(?:venc|pago|operacion|pedido|entrega|albaran|valor|limite|prevista))",
          r"(?<!due )(?<!order )(?<!delivery )date(?! (?:due|of (?:birth|delivery|payment)))",
          r"data(?! (?:de |d')?(?:venc|pagament|entrega))", strength=0.9),
)  # fmt: skip
DUE_LABELS: Final = (
    label(r"(?:fecha (?:de )?)?(?:vencimientos?|vto\.?)", r"fecha (?:limite )?(?:de )?pago",
          r"(?:payment )?due(?: date| by| on)?",
          r"date due", r"data (?:limite )?(?:de )?(?:vencimento|venciment|pagamento)", r"vencimento|venciment",
          r"payable (?:by|before)", r"pagar antes del?", r"date limite de paiement"),
)  # fmt: skip
_OTHER_PAPERS: Final = re.compile(
    r"pedido|albaran|cliente|cuenta|presupuesto|contrato|expediente|rectifica\w* (?:a|la|de)|order|customer|account"
    r"|encomenda|comanda|pagina|page|telefono|tel"
)
#: Series and number may be parted by a slash with spaces; what comes after a dash with spaces is something else.
_CODE: Final = re.compile(
    r"(?:[A-Za-z]{1,6}[ ](?=\d))?[A-Za-z0-9]+(?:[/\-_.][A-Za-z0-9]+)*(?:\s/\s\d+\b(?!\s?[/.-]\s?\d))?"
)
_MONEY: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})*[.,]\d{2}")
_MAX_CODE: Final = 30


def invoice_number(document: Document) -> Found | None:
    candidates = labelled(document.sheet, NUMBER_LABELS, _read_code)
    return chosen([candidate for candidate in candidates if not _OTHER_PAPERS.search(_wording(candidate))])


def issue_date(document: Document) -> Found | None:
    """The labelled one; else the only date that is not labelled as another."""
    due = [candidate.value for candidate in _due_dates(document)]
    others = {(read.value, read.span.box) for read in due}
    candidates = labelled(document.sheet, DATE_LABELS, date_reader(document))
    labelled_ones = [one for one in candidates if (one.value.value, one.value.span.box) not in others]
    return chosen(labelled_ones) or _bare_date(document, {read.value for read in due})


def due_date(document: Document) -> Found | None:
    return chosen(list(_due_dates(document)))


def _due_dates(document: Document) -> Iterator[Candidate[Read]]:
    return labelled(document.sheet, DUE_LABELS, date_reader(document))


def _bare_date(document: Document, others: set[str]) -> Found | None:
    dates = [dated for segment in document.sheet.segments for dated in document.dates(segment)]
    rest = [dated for dated in dates if dated.iso not in others]
    if not rest:
        return None
    alone = len({dated.value for dated in rest}) == 1
    return found(rest[0].iso, rest[0].span, LABEL_WEAK, UNRIVALLED if alone and rest[0].sure else 0.0)


def _wording(candidate: Candidate[Read]) -> str:
    """What stands in the segment before the value: the label, and what it is the number of."""
    return candidate.label.plain.split(candidate.value.span.text.lower())[0]


def _read_code(segment: Segment, start: int) -> Read | None:
    match = _CODE.match(segment.text, start)
    if match is None:
        return None
    code = match.group().rstrip(" .-_/")
    if len(code) > _MAX_CODE or not any(character.isdigit() for character in code) or _is_something_else(code):
        return None
    return Read(code, segment.span(match.start(), match.start() + len(code)))


def _is_something_else(code: str) -> bool:
    if _MONEY.fullmatch(code) or kind_of(code.upper()):
        return True
    return re.fullmatch(r"[\d/.\-]+", code) is not None and parse(code) is not None
