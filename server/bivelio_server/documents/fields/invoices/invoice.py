"""All fields of an invoice that was not sent as data."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from bivelio_server.documents.fields.amounts import Amount, currency
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import (
    ARITHMETIC,
    LABEL_BESIDE,
    LABEL_WEAK,
    REPEATED,
    SHAPE,
    UNRIVALLED,
    Found,
    Tree,
    found,
)  # fmt: skip
from bivelio_server.documents.fields.invoices.header import due_date, invoice_number, issue_date
from bivelio_server.documents.fields.invoices.items import Item, Table, table, unheaded
from bivelio_server.documents.fields.invoices.parties import parties
from bivelio_server.documents.fields.invoices.totals import Sums, Tax, sums
from bivelio_server.documents.fields.rounding import cents, near, tidy
from bivelio_server.documents.fields.tax_ids import ibans_in


def read_invoice(document: Document) -> Tree:
    items = table(document)
    result = sums(document, items.end + 1 if items.items else 0, items.sum if items.items else None)
    if not items.items and result.holds and result.taxes:
        items, result = _items_above(document, result)
    issuer, recipient = parties(document)
    return {
        "invoice_number": invoice_number(document),
        "date": issue_date(document),
        "due_date": due_date(document),
        "total": total(result),
        "currency": money_of(document),
        "subtotal": _subtotal(result),
        "taxes": [_tax(one) for one in result.taxes],
        "withholding": _withholding(result),
        "surcharge": _surcharge(result),
        "issuer": issuer,
        "recipient": recipient,
        "iban": _iban(document),
        "line_items": line_items(items, result),
    }


def _items_above(document: Document, result: Sums) -> tuple[Table, Sums]:
    base = sum((tax.base.value for tax in result.taxes), Decimal(0))
    places = [tax.base.row for tax in result.taxes] + ([result.base.row] if result.base is not None else [])
    items = unheaded(document, min(places), base)
    return items, replace(result, lines_agree=bool(items.items))


def total(result: Sums) -> Found | None:
    one = result.total
    if one is None:
        return None
    if result.holds:
        checks = [ARITHMETIC] if result.alone else [0.85]
        return found(one.amount.value, one.amount.span, one.strength * LABEL_BESIDE, *checks, verified=result.alone)
    checks = [UNRIVALLED] if result.alone else []
    return found(one.amount.value, one.amount.span, one.strength * LABEL_BESIDE - 0.2, *checks)


def money_of(document: Document) -> Found | None:
    """The currency that is named; an invoice between Spaniards that names none is not in any that we know of."""
    named = currency(document.sheet)
    if named is None:
        return None
    checks = [LABEL_BESIDE, UNRIVALLED if named.alone else 0.0, REPEATED if named.count > 1 else 0.0]
    return found(named.code, named.span, *checks, verified=named.count > 1)


def line_items(items: Table, result: Sums) -> list[Tree]:
    """Amounts with taxes where the columns say so: when the items add up to the total, not to the base."""
    gross = result.total is not None and near(items.sum, result.total.amount.value) and bool(result.taxes)
    adds_up = result.lines_agree or (gross and result.holds)
    rate = result.taxes[0].rate if len(result.taxes) == 1 else None
    return [_line(item, result, rate, gross=gross, adds_up=adds_up) for item in items.items]


def _line(item: Item, result: Sums, only_rate: Decimal | None, *, gross: bool, adds_up: bool) -> Tree:
    amount = item.amount
    assert amount is not None
    rate = _rate(item, result, only_rate)
    checks = [0.9] if item.holds else []
    checks += [0.85] if adds_up else []
    verified = item.holds or adds_up
    return {
        "description": _description(item, checks),
        "quantity": _number(item.quantity, checks, verified=item.holds, whole=True),
        "unit_price": _number(item.unit_price, checks, verified=item.holds),
        "tax_rate": rate,
        "total": _line_total(amount, rate, checks, gross=gross, verified=verified),
    }


def _rate(item: Item, result: Sums, only_rate: Decimal | None) -> Found | None:
    """The row's own, or the only one of the invoice. A rate that the sums know of is no misreading."""
    known = {tax.rate for tax in result.taxes}
    if item.tax_rate is not None:
        agrees = item.tax_rate.value in known
        return found(
            tidy(item.tax_rate.value), item.tax_rate.span, LABEL_BESIDE, *([0.9] if agrees else []), verified=agrees
        )
    if only_rate is None or not result.taxes:
        return None
    return found(tidy(only_rate), result.taxes[0].amount.span, 0.95 if result.holds else 0.6, verified=result.holds)


def _description(item: Item, checks: Sequence[float]) -> Found | None:
    if not item.words or not item.description:
        return None
    segment, word = item.words[0]
    first = found(item.description, segment.span(), LABEL_BESIDE, *[check * 0.7 for check in checks])
    confidence = min(one.confidence for _, one in item.words)
    return Found(
        first.value, round(first.confidence * min(confidence / max(word.confidence, 0.01), 1), 3), first.page, first.box
    )


def _number(amount: Amount | None, checks: Sequence[float], *, verified: bool, whole: bool = False) -> Found | None:
    if amount is None:
        return None
    return found(tidy(amount.value) if whole else amount.value, amount.span, 0.6, *checks, verified=verified)


def _line_total(
    amount: Amount, rate: Found | None, checks: Sequence[float], *, gross: bool, verified: bool
) -> Found | None:
    """With taxes, as everywhere in the API: unknown while the rate is."""
    if gross:
        return found(amount.value, amount.span, 0.6, *checks, verified=verified)
    if rate is None:
        return None
    value = cents(amount.value * (1 + Decimal(rate.value) / 100))
    item = found(value, amount.span, 0.6, *checks, verified=verified)
    return Found(item.value, min(item.confidence, rate.confidence), item.page, item.box)


def _subtotal(result: Sums) -> Found | None:
    if result.holds and result.taxes:
        value = sum((tax.base.value for tax in result.taxes), Decimal(0))
        place = result.base or result.taxes[0].base
        return found(value, place.span, ARITHMETIC if result.alone else 0.8, verified=result.alone)
    if result.base is None:
        return None
    return found(result.base.value, result.base.span, ARITHMETIC if result.holds else 0.6, verified=result.holds)


def _tax(tax: Tax) -> Tree:
    checks = (ARITHMETIC,)
    return {
        "rate": found(tidy(tax.rate), tax.amount.span, *checks, verified=True),
        "base": found(tax.base.value, tax.base.span, *checks, verified=True),
        "amount": found(tax.amount.value, tax.amount.span, *checks, verified=True),
    }


def _withholding(result: Sums) -> Found | None:
    one = result.withholding
    if one is None:
        return None
    return found(abs(one.amount.value), one.amount.span, *((LABEL_BESIDE, ARITHMETIC) if result.holds else (0.6,)),
                 verified=result.holds)  # fmt: skip


def _surcharge(result: Sums) -> Found | None:
    if result.surcharge is None or result.total is None:
        return None
    return found(result.surcharge, result.total.amount.span, ARITHMETIC, verified=True)


def _iban(document: Document) -> Found | None:
    """The first account whose check digits hold, if it is the only one."""
    accounts = {number: span for segment in document.sheet.segments for number, span in ibans_in(segment)}
    if len(accounts) != 1:
        return None
    number, span = next(iter(accounts.items()))
    return found(number, span, SHAPE, 0.95, LABEL_WEAK, verified=True)
