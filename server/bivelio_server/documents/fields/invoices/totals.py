"""The sums of an invoice: which of its amounts are bases, taxes, retentions and the total, so that they add up."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, product
from typing import Final, Literal, TypeAlias

from bivelio_server.documents.fields.amounts import Amount
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.labels import overlap
from bivelio_server.documents.fields.layout import Segment
from bivelio_server.documents.fields.rounding import near

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
    ("total", 1.0, (r"total (?:de )?(?:la )?(?:factura|fra\.?|fatura|ticket|documento|compra|general|a pagar"
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
#: Rates of Spain, its islands and Portugal. A pair that no printed percentage tells of must have one of the first.
_COMMON_RATES: Final = tuple(Decimal(rate) for rate in ("21", "10", "4"))
_MAX_PAIRS: Final = 9
_MAX_RATES: Final = 4
_ROWS_BELOW: Final = 5
_TOLERANCE: Final = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class Labelled:
    role: Role
    strength: float
    amount: Amount
    segment: Segment


@dataclass(frozen=True, slots=True)
class Tax:
    rate: Decimal
    base: Amount
    amount: Amount


@dataclass(frozen=True, slots=True)
class Sums:
    """`holds` says that bases + taxes (+ surcharge, + outlays) − retention is the total; `alone` that no other total
    that is labelled as well could be reached in another way."""

    total: Labelled | None
    holds: bool
    alone: bool
    taxes: Sequence[Tax] = ()
    base: Amount | None = None
    withholding: Labelled | None = None
    surcharge: Decimal | None = None
    lines_agree: bool = False


def sums(document: Document, first_row: int, items_sum: Decimal | None) -> Sums:
    """`first_row` is where the sums begin at the earliest, after the items."""
    roles = list(_labelled(document, first_row))
    if not any(one.role == "total" for one in roles):
        roles = list(_labelled(document, 0))
    money = [
        amount
        for row, amounts in document.amounts.items()
        for amount in amounts
        if row >= first_row and _is_money(amount)
    ]
    solutions = list(_solutions(document, roles, money, items_sum))
    if solutions:
        return _best(solutions)
    totals = sorted((one for one in roles if one.role == "total"), key=_rank)
    base = next((one.amount for one in roles if one.role == "base"), None)
    withheld = next((one for one in roles if one.role == "withholding"), None)
    alone = len({one.amount.value for one in totals if one.strength >= totals[-1].strength}) == 1 if totals else False
    return Sums(totals[-1] if totals else None, holds=False, alone=alone, base=base, withholding=withheld)


def _rank(one: Labelled) -> tuple[float, Decimal]:
    return one.strength, one.amount.value


def _is_money(amount: Amount) -> bool:
    return not amount.percent and (amount.decimals == 2 or amount.end - amount.start > len(str(amount.value)) + 1)


def _labelled(document: Document, first_row: int) -> Iterator[Labelled]:
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
        if _is_money(amount) and _after(amount, segment, end) and (until is None or not _reaches(amount, until))
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
    rows = [row for row in document.sheet.rows if segment.row < row[0].row <= segment.row + _ROWS_BELOW]
    last = segment
    for row in rows:
        column = [one for one in row if _in_column(segment, one)]
        if not column or column[0].page != segment.page or column[0].box.y0 - last.box.y1 > 3 * segment.height:
            return
        amounts = [amount for amount in document.amounts_at(column[0]) if _is_money(amount)]
        if not amounts:
            return
        last = column[0]
        yield min(amounts, key=lambda amount: abs(amount.span.box.x1 - segment.box.x1))


def _in_column(label: Segment, other: Segment) -> bool:
    return overlap(label, other) > 0 or abs(label.box.x1 - other.box.x1) < label.height


def _solutions(
    document: Document, roles: Sequence[Labelled], money: Sequence[Amount], items_sum: Decimal | None
) -> Iterator[tuple[float, Sums]]:
    """All ways in which the amounts add up to a labelled total, each with how much speaks for it."""
    totals = [one for one in roles if one.role == "total" and one.amount.value != 0]
    pairs = _pairs(document, roles, money)
    if not pairs:
        yield from _untaxed(totals, roles, items_sum)
    bases = {one.amount.value for one in roles if one.role == "base"}
    for taxes in _sets(pairs):
        base = sum((tax.base.value for tax in taxes), Decimal(0))
        gross = base + sum((tax.amount.value for tax in taxes), Decimal(0))
        agree = _agree(base, items_sum)
        for retained, surcharge, other in product(*_extras(roles)):
            reached = gross - _size(retained) + surcharge + other
            for total in totals:
                if near(reached, total.amount.value, _TOLERANCE):
                    parts = (retained is not None) + (surcharge != 0) + (other != 0)
                    weight = total.strength + 2 * agree + (base in bases) + 0.1 * len(taxes) + parts
                    place = _base_amount(base, taxes, roles)
                    yield weight, Sums(total, True, True, taxes, place, retained, surcharge or None, agree)


def _sets(pairs: Sequence[Tax]) -> Iterator[tuple[Tax, ...]]:
    """Every choice of taxes with no rate twice."""
    for size in range(1, min(len(pairs), _MAX_RATES) + 1):
        for chosen in combinations(pairs, size):
            if len({tax.rate for tax in chosen}) == size:
                yield chosen


def _extras(roles: Sequence[Labelled]) -> tuple[list[Labelled | None], list[Decimal], list[Decimal]]:
    """What may be retained, and what surcharges and outlays may add."""
    retained = {abs(one.amount.value): one for one in roles if one.role == "withholding" and one.amount.value}
    return [None, *list(retained.values())[:4]], _sums_of(roles, "surcharge"), _sums_of(roles, "other")


def _sums_of(roles: Sequence[Labelled], role: Role) -> list[Decimal]:
    """Nothing, each amount of a role, or all of them together."""
    amounts = {id(one.amount): abs(one.amount.value) for one in roles if one.role == role and one.amount.value}
    values = list(amounts.values())
    return list(dict.fromkeys([Decimal(0), *values[:4], sum(values, Decimal(0))]))


def _agree(base: Decimal, items_sum: Decimal | None) -> bool:
    return items_sum is not None and near(base, items_sum, _TOLERANCE)


def _untaxed(
    totals: Sequence[Labelled],
    roles: Sequence[Labelled],
    items_sum: Decimal | None,
) -> Iterator[tuple[float, Sums]]:
    """Exempt: what the items add up to, or a base that is no more than the total again, is the total."""
    for total in totals:
        for retained in _extras(roles)[0]:
            gross = total.amount.value + _size(retained)
            bases = [one.amount for one in roles if one.role == "base" and one.amount.value == gross]
            agree = _agree(gross, items_sum)
            if agree and (bases or retained is None):
                yield (
                    total.strength + 2 + len(bases[:1]),
                    Sums(total, True, True, (), bases[0] if bases else None, retained, None, True),
                )


def _pairs(document: Document, roles: Sequence[Labelled], money: Sequence[Amount]) -> list[Tax]:
    """Amounts of which one is a rate of the other, where the rate is printed or usual and a tax is spoken of."""
    if not any(one.role in ("tax", "base") for one in roles) and not _printed_rates(document):
        return []
    rates = _printed_rates(document) or list(_COMMON_RATES)
    near_label = {id(one.amount) for one in roles if one.role in ("tax", "base")}
    pairs: dict[tuple[Decimal, Decimal, Decimal], tuple[int, Tax]] = {}
    for base in money:
        for amount in money:
            if amount is base or abs(amount.value) >= abs(base.value) or amount.value == 0:
                continue
            for rate in rates:
                if near(base.value * rate / 100, amount.value, Decimal("0.011")):
                    score = (id(base) in near_label) + (id(amount) in near_label) + (base.row == amount.row)
                    key = (rate, base.value, amount.value)
                    if key not in pairs or pairs[key][0] < score:
                        pairs[key] = (score, Tax(rate, base, amount))
    ranked = sorted(pairs.values(), key=lambda pair: -pair[0])
    return [tax for _, tax in ranked[:_MAX_PAIRS]]


def _printed_rates(document: Document) -> list[Decimal]:
    """Percentages in the document that may be a tax's."""
    rates: dict[Decimal, None] = {}
    for row in document.sheet.rows:
        spoken = any(re.search(r"\b(?:i\.?v\.?a|vat|igic|tax|tipo|btw|tva|r\.?e)\b", segment.plain) for segment in row)
        for amount in document.amounts.get(row[0].row, ()):
            if amount.percent and Decimal(0) < amount.value <= Decimal(27):
                rates.setdefault(amount.value, None)
            elif spoken and amount.value in (
                *_COMMON_RATES,
                Decimal(5),
                Decimal("7.5"),
                Decimal(7),
                Decimal(23),
                Decimal(13),
            ):
                rates.setdefault(amount.value.normalize() if amount.value != 10 else Decimal(10), None)
    return list(rates)


def _size(one: Labelled | None) -> Decimal:
    return Decimal(0) if one is None else abs(one.amount.value)


def _base_amount(base: Decimal, chosen: Sequence[Tax], roles: Sequence[Labelled]) -> Amount | None:
    exact = [one.amount for one in roles if one.role == "base" and one.amount.value == base]
    if exact:
        return exact[0]
    return chosen[0].base if len(chosen) == 1 else None


def _best(solutions: Sequence[tuple[float, Sums]]) -> Sums:
    """The weightiest; where a total before a retention adds up as well, the one to be paid."""
    weight, best = max(solutions, key=lambda one: one[0])
    rivals = {
        other.total.amount.value for mass, other in solutions if mass >= weight - 0.3 and other.total is not None
    }  # fmt: skip
    return Sums(
        best.total, True, len(rivals) == 1, best.taxes, best.base, best.withholding, best.surcharge, best.lines_agree
    )
