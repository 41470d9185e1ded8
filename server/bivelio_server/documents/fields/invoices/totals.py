"""The sums of an invoice: which of its amounts are bases, taxes, retentions and the total, so that they add up."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, product
from typing import Final, TypeVar

from bivelio_server.documents.fields.amounts import Amount
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.invoices.roles import Labelled, is_money, labelled_amounts
from bivelio_server.documents.fields.layout import Segment
from bivelio_server.documents.fields.rounding import cents, near

Item = TypeVar("Item")

_TAX_WORDS: Final = re.compile(r"\b(?:i\.?v\.?a|vat|igic|tax|tipo|btw|tva|r\.?e)\b")
#: Rates of Spain, its islands and Portugal. A pair that no printed percentage tells of must have one of the first.
_COMMON_RATES: Final = tuple(Decimal(rate) for rate in ("21", "10", "4"))
_RATES: Final = (*_COMMON_RATES, *(Decimal(rate) for rate in ("5", "7", "7.5", "13", "23")))
#: Recargo de equivalencia, by the rate of the tax it goes with.
_SURCHARGE_RATES: Final = {Decimal(21): Decimal("5.2"), Decimal(10): Decimal("1.4"), Decimal(4): Decimal("0.5")}
_MAX_PAIRS: Final = 9
#: Sums stand near the end, on some invoices at the head; between them there may be thousands of amounts.
_MAX_ENDS: Final = 40
_MAX_RATES: Final = 4
_MAX_EXTRAS: Final = 5
_TOLERANCE: Final = Decimal("0.02")


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
    roles: Sequence[Labelled] = list(labelled_amounts(document, first_row))
    if not any(one.role == "total" for one in roles):
        roles = list(labelled_amounts(document, 0))
    roles = _ends(roles)
    later = (amounts for row, amounts in document.amounts.items() if row >= first_row)
    money = _ends([amount for amounts in later for amount in amounts if is_money(amount)])
    solutions = list(_solutions(document, roles, money, items_sum))
    if solutions:
        return _best(solutions)
    totals = sorted((one for one in roles if one.role == "total"), key=_rank)
    base = next((one.amount for one in roles if one.role == "base"), None)
    withheld = next((one for one in roles if one.role == "withholding"), None)
    alone = len({one.amount.value for one in totals if one.strength >= totals[-1].strength}) == 1 if totals else False
    return Sums(totals[-1] if totals else None, holds=False, alone=alone, base=base, withholding=withheld)


def _ends(items: Sequence[Item]) -> Sequence[Item]:
    return items if len(items) <= 2 * _MAX_ENDS else [*items[:_MAX_ENDS], *items[-_MAX_ENDS:]]


def _rank(one: Labelled) -> tuple[float, Decimal]:
    return one.strength, one.amount.value


def _solutions(
    document: Document, roles: Sequence[Labelled], money: Sequence[Amount], items_sum: Decimal | None
) -> Iterator[tuple[float, Sums]]:
    """All ways in which the amounts add up to a labelled total, each with how much speaks for it."""
    totals = [one for one in roles if one.role == "total" and one.amount.value != 0]
    pairs = _pairs(document, roles, money)
    if not pairs:
        yield from _untaxed(totals, roles, items_sum)
    bases = {one.amount.value for one in roles if one.role == "base"}
    reachable = _by_value(totals)
    retentions, outlays = _retentions(roles), _outlays(roles)
    for taxes in _sets(pairs):
        base = sum((tax.base.value for tax in taxes), Decimal(0))
        gross = base + sum((tax.amount.value for tax in taxes), Decimal(0))
        agree = _agree(base, items_sum)
        for retained, surcharge, other in product(retentions, _surcharges(taxes, roles), outlays):
            reached = gross - _size(retained) + surcharge + other
            for total in reachable.get(cents(reached), ()):
                if near(reached, total.amount.value, _TOLERANCE):
                    parts = (retained is not None) + (surcharge != 0) + (other != 0)
                    weight = total.strength + 2 * agree + (base in bases) + 0.1 * len(taxes) + parts
                    place = _base_amount(base, taxes, roles)
                    yield weight, Sums(total, True, True, taxes, place, retained, surcharge or None, agree)


def _by_value(totals: Sequence[Labelled]) -> dict[Decimal, list[Labelled]]:
    """Totals by every value that is taken for them: sellers round each tax, or their sum."""
    found: dict[Decimal, list[Labelled]] = {}
    for total in totals:
        for off in range(-2, 3):
            found.setdefault(cents(total.amount.value + Decimal(off) / 100), []).append(total)
    return found


def _sets(pairs: Sequence[Tax]) -> Iterator[tuple[Tax, ...]]:
    """Every choice of taxes with no rate twice."""
    for size in range(1, min(len(pairs), _MAX_RATES) + 1):
        for chosen in combinations(pairs, size):
            if len({tax.rate for tax in chosen}) == size:
                yield chosen


def _retentions(roles: Sequence[Labelled]) -> list[Labelled | None]:
    """Nothing, or one of the amounts that may be retained."""
    retained = {abs(one.amount.value): one for one in roles if one.role == "withholding" and one.amount.value}
    return [None, *list(retained.values())[:_MAX_EXTRAS]]


def _surcharges(taxes: Sequence[Tax], roles: Sequence[Labelled]) -> list[Decimal]:
    """Nothing, or what the law adds to each of these taxes, if every one of those amounts is printed as a surcharge."""
    printed = {abs(one.amount.value) for one in roles if one.role == "surcharge"}
    due = [cents(tax.base.value * _SURCHARGE_RATES.get(tax.rate, Decimal(0)) / 100) for tax in taxes]
    return [Decimal(0), sum(due, Decimal(0))] if printed and set(due) <= printed else [Decimal(0)]


def _outlays(roles: Sequence[Labelled]) -> list[Decimal]:
    """Nothing, any of the amounts paid for the customer, or all of them."""
    values = list({id(one.amount): abs(one.amount.value) for one in roles if one.role == "other"}.values())
    return list(dict.fromkeys([Decimal(0), *values[:_MAX_EXTRAS], sum(values[:_MAX_EXTRAS], Decimal(0))]))


def _agree(base: Decimal, items_sum: Decimal | None) -> bool:
    return items_sum is not None and near(base, items_sum, _TOLERANCE)


def _untaxed(
    totals: Sequence[Labelled],
    roles: Sequence[Labelled],
    items_sum: Decimal | None,
) -> Iterator[tuple[float, Sums]]:
    """Exempt: what the items add up to, or a base that is no more than the total again, is the total."""
    retentions = _retentions(roles)
    for total in totals:
        for retained in retentions:
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
    heads: list[bool] = [False, False, False]
    for row in document.sheet.rows:
        heads = [*heads[-3:], _speaks_of_taxes(row)]
        for amount in document.amounts.get(row[0].row, ()):
            if (amount.percent and Decimal(0) < amount.value <= Decimal(27)) or (any(heads) and amount.value in _RATES):
                rates.setdefault(amount.value, None)
    return list(rates)


def _speaks_of_taxes(row: Sequence[Segment]) -> bool:
    return any(_TAX_WORDS.search(segment.plain) for segment in row)


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
