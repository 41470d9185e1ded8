"""What the formats of electronic invoices have in common, and the checks that all of them must pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from stdnum.es import nif
from stdnum.eu import vat

from bivelio_server.documents.fields.found import Found, Tree
from bivelio_server.documents.fields.results import Plain
from bivelio_server.documents.fields.rounding import cents, tidy

#: Of data whose sums do not hold: it says what it says, but something in it is wrong.
CONTRADICTED: Final = 0.7
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Party:
    name: str | None
    nif: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """`net` is without taxes, after the line's own discounts and charges, whose sum is `adjusted`. A price may be for
    `per` units."""

    description: str | None
    quantity: Decimal | None
    unit_price: Decimal | None
    tax_rate: Decimal | None
    net: Decimal | None
    adjusted: Decimal = _ZERO
    per: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Tax:
    rate: Decimal | None
    base: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class ElectronicInvoice:
    """`charged` is what charges and discounts of the whole document add to the lines."""

    number: str | None
    date: str | None
    due_date: str | None
    currency: str | None
    issuer: Party
    recipient: Party
    lines: Sequence[Line]
    taxes: Sequence[Tax]
    charged: Decimal
    subtotal: Decimal | None
    withheld: Decimal | None
    total: Decimal | None
    surcharge: Decimal | None = None
    iban: str | None = None


def tree(invoice: ElectronicInvoice) -> Tree:
    sums = _sums_hold(invoice)
    return {
        "invoice_number": _certain(invoice.number),
        "date": _certain(invoice.date),
        "due_date": _certain(invoice.due_date),
        "total": _certain(invoice.total, holds=sums),
        "currency": _certain(invoice.currency),
        "subtotal": _certain(invoice.subtotal, holds=sums),
        "taxes": [
            {
                "rate": _certain(_tidy(tax.rate), holds=sums),
                "base": _certain(tax.base, holds=sums),
                "amount": _certain(tax.amount, holds=sums),
            }
            for tax in invoice.taxes
        ],
        "withholding": _certain(invoice.withheld, holds=sums),
        "surcharge": _certain(invoice.surcharge, holds=sums),
        "issuer": _party(invoice.issuer),
        "recipient": _party(invoice.recipient),
        "iban": _certain(invoice.iban),
        "line_items": [_line(line) for line in invoice.lines],
    }


def _party(party: Party) -> Tree:
    number = party.nif
    valid = number is not None and (nif.is_valid(number) or vat.is_valid(number) or not number[:1].isalnum())
    foreign = number is not None and number[:2].isalpha() and not vat.is_valid(number)
    return {"name": _certain(party.name), "nif": _certain(number, holds=valid or foreign)}


def _line(line: Line) -> Tree:
    holds = _line_holds(line)
    gross = None if line.net is None or line.tax_rate is None else cents(line.net * (1 + line.tax_rate / 100))
    return {
        "description": _certain(line.description),
        "quantity": _certain(_tidy(line.quantity), holds=holds),
        "unit_price": _certain(line.unit_price, holds=holds),
        "tax_rate": _certain(_tidy(line.tax_rate), holds=holds),
        "total": _certain(gross, holds=holds),
    }


def _certain(value: Plain, *, holds: bool = True) -> Found | None:
    return None if value is None else Found(value, 1.0 if holds else CONTRADICTED)


def _tidy(value: Decimal | None) -> Decimal | int | None:
    return None if value is None else tidy(value)


def _line_holds(line: Line) -> bool:
    if line.quantity is None or line.unit_price is None or line.net is None:
        return True
    expected = line.quantity * line.unit_price / (line.per or 1) + line.adjusted
    return abs(expected - line.net) <= Decimal("0.01") + abs(line.quantity) * Decimal("0.00005")


def _sums_hold(invoice: ElectronicInvoice) -> bool:
    """Lines to the subtotal, bases and rates to taxes, subtotal and taxes to the total (with or without what is
    withheld: both are written)."""
    if invoice.total is None or invoice.subtotal is None:
        return False
    nets = [line.net for line in invoice.lines]
    if any(net is None for net in nets) or (nets and not _near(_sum(nets) + invoice.charged, invoice.subtotal)):
        return False
    if not all(_tax_holds(tax) for tax in invoice.taxes):
        return False
    gross = invoice.subtotal + _sum([tax.amount for tax in invoice.taxes]) + (invoice.surcharge or 0)
    return _near(gross, invoice.total) or _near(gross - (invoice.withheld or 0), invoice.total)


def _tax_holds(tax: Tax) -> bool:
    if tax.rate is None or tax.base is None or tax.amount is None:
        return True
    return _near(tax.base * tax.rate / 100, tax.amount)


def _sum(values: Sequence[Decimal | None]) -> Decimal:
    return sum((value for value in values if value is not None), _ZERO)


def _near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= Decimal("0.02")
