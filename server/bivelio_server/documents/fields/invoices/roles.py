"""What the amounts of an invoice's sums are, by the words that stand beside or above them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from bivelio_server.documents.fields.amounts import Amount
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.labels import overlap
from bivelio_server.documents.fields.layout import Segment

Role: TypeAlias = Literal["total", "base", "tax", "withholding", "surcharge", "other", "aside"]

#: By role, from the most telling wording on; a piece of text counts for the first that has it.
_WORDINGS: Final[tuple[tuple[Role, float, str], ...]] = (
    ("aside", 0, (r"total (?:dto|descuento|unidades|uds|lineas|horas|articulos|puntos|items|qty|quantity"
                 r"|anterior|ahorro)\w*|entregado|efectivo"
                 r"|cambio|cash|change|pagado|tarjeta|a cuenta|saldo anterior|troco|rounding|redondeo"
                 r"|amount tendered|visa|mastercard")),
    ("base", 1.0, (r"(?:total )?base(?:s)? (?:imponibles?|imp\.?|i\.?v\.?a\.?)|b\.? ?imponible"
                  r"|base imposable|imposable|base tributavel"
                  r"|base de incidencia|total (?:sin|s/) (?:i\.?v\.?a\.?|impuestos)|(?:total |importe "
                  r"|suma )?(?:neto|bruto|ht)\b|sub-?\s?total|suma"
                  r"|net (?:amount|total)|total net|total excl\w*\.? (?:vat|tax)|total base|base"
                  r"|taxable amount|exclusief btw")),
    ("surcharge", 1.0, r"recargo(?: (?:de )?equiv\w*\.?)?|r\.\s?e\.?|rec\.? ?eq\w*\.?|recarrec"),
    ("withholding", 1.0, (r"(?:retencion(?:es)? )?\(?i\.?r\.?p\.?f\b\.?\)?|retencion(?:es)?|retencio"
                         r"|retencao|ret\.|withholding")),
    ("other", 1.0, r"suplidos?|gastos suplidos|provision de fondos"),
    ("tax", 1.0, (r"(?:total |cuota |importe |suma )?(?:de )?i\.?v\.?a\b\.?(?! ?incl)|(?:total )?(?:vat|tax"
                 r"|igic|tva|btw|mwst)\b(?! ?incl)|cuotas?|quota"
                 r"|(?:total )?impuestos|total gst")),
    ("total", 1.0, (r"rounded total(?: \(rm\))?|total rounded|"
            r"total (?:de )?(?:la )?(?:factura|fra\.?|fatura|ticket|documento|compra|general|a pagar"
                   r"|a percibir|liquido|importe|amount due|amount|due"
                   r"|payable|to pay|invoice|eur\b|euros|con i\.?v\.?a\.?|\(?i\.?v\.?a\.? incl\w*\.?\)?"
                   r"|com i\.?v\.?a\.?|i\.?v\.?a\.? incl\w*|for this invoice|facture|ttc)"
                   r"|importe (?:total|a pagar|factura|liquido)(?: (?:a pagar|de la factura|eur\w*))?"
                   r"|liquido(?: a (?:percibir|pagar))?|(?:neto )?a pagar|a ingresar"
                   r"|amount due|balance due|grand total|amount payable|valor total|valor a pagar"
                   r"|somme a payer|total a cobrar|gesamtbetrag")),
    ("total", 0.75, r"totale?s?|totaal|import|importe"),
)  # fmt: skip
_ROLES: Final = tuple(
    (role, strength, re.compile(rf"(?<![a-z.])(?:{wording})(?![a-z])")) for role, strength, wording in _WORDINGS
)
_ROWS_BELOW: Final = 5


@dataclass(frozen=True, slots=True)
class Labelled:
    role: Role
    strength: float
    amount: Amount
    segment: Segment


def labelled_amounts(document: Document, first_row: int) -> Iterator[Labelled]:
    for row in document.sheet.rows:
        if row[0].row < first_row:
            continue
        marks = [(segment, *mark) for segment in row for mark in _marks(segment)]
        for index, (segment, role, strength, end) in enumerate(marks):
            until = marks[index + 1] if index + 1 < len(marks) else None
            amount = _beside(document, segment, end, until)
            if amount is not None:
                yield Labelled(role, strength, amount, segment)
                continue
            for amount in _under(document, segment):
                yield Labelled(role, strength * 0.9, amount, segment)


def _marks(segment: Segment) -> list[tuple[Role, float, int]]:
    taken: list[tuple[int, int]] = []
    marks: list[tuple[int, Role, float, int]] = []
    for role, strength, pattern in _ROLES:
        for match in pattern.finditer(segment.plain):
            if not any(match.start() < end and match.end() > start for start, end in taken):
                taken.append(match.span())
                marks.append((match.start(), role, strength, match.end()))
    return [(role, strength, end) for _, role, strength, end in sorted(marks)]


def _beside(
    document: Document,
    segment: Segment,
    end: int,
    until: tuple[Segment, Role, float, int] | None,
) -> Amount | None:
    """The last amount of money between this label and the next one of its row."""
    stop = until[0] if until is not None else None
    candidates = [
        amount
        for amount in document.amounts.get(segment.row, ())
        if is_money(amount) and _after(amount, segment, end) and (until is None or not _reaches(amount, until))
    ]
    if stop is not None and stop is not segment and not candidates:
        return None
    return candidates[-1] if candidates else None


def _after(amount: Amount, segment: Segment, end: int) -> bool:
    if amount.segment is segment:
        return amount.start >= end
    return amount.segment.box.x0 >= segment.box.x1 - 1


def _reaches(amount: Amount, until: tuple[Segment, Role, float, int]) -> bool:
    segment, _, _, end = until
    if amount.segment is segment:
        return amount.start >= end
    return amount.segment.box.x0 > segment.box.x0


def _under(document: Document, segment: Segment) -> Iterator[Amount]:
    """Amounts in the column below a label, row by row, until the column ends."""
    last = segment
    for row in document.sheet.after(segment, _ROWS_BELOW):
        column = [one for one in row if _in_column(segment, one)]
        if not column or column[0].page != segment.page or column[0].box.y0 - last.box.y1 > 3 * segment.height:
            return
        amounts = [amount for amount in document.amounts_at(column[0]) if is_money(amount)]
        if not amounts:
            return
        last = column[0]
        yield min(amounts, key=lambda amount: abs(amount.span.box.x1 - segment.box.x1))


def _in_column(label: Segment, other: Segment) -> bool:
    return overlap(label, other) > 0 or abs(label.box.x1 - other.box.x1) < label.height


def is_money(amount: Amount) -> bool:
    return not amount.percent and (amount.decimals == 2 or amount.end - amount.start > len(str(amount.value)) + 1)
