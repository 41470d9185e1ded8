"""All fields of a receipt: narrow, taxes included, and often without any label but "total"."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from bivelio_server.documents.fields.amounts import Amount
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import (
    ARITHMETIC,
    CHECK_DIGIT,
    LABEL_BESIDE,
    LABEL_WEAK,
    SHAPE,
    UNRIVALLED,
    Found,
    Tree,
    doubted,
    found,
)  # fmt: skip
from bivelio_server.documents.fields.invoices.header import invoice_number, issue_date
from bivelio_server.documents.fields.invoices.invoice import line_items, money_of, total
from bivelio_server.documents.fields.invoices.items import table
from bivelio_server.documents.fields.invoices.totals import Sums, Tax, sums
from bivelio_server.documents.fields.layout import Segment, Span, fold
from bivelio_server.documents.fields.names import agrees, legal_form, name_in
from bivelio_server.documents.fields.rounding import near, tidy

_TIME: Final = re.compile(r"(?<![\d:/.,])([01]?\d|2[0-3])[:.h]([0-5]\d)(?:[:.][0-5]\d)?(?![\d,/]|\.\d)\s?(am|pm)?")
_CARD: Final = re.compile(
    r"\b(?:tarjeta|visa|mastercard|master card|card|targeta|cartao|contactless|datafono|maestro|amex)\b"
)
_CASH: Final = re.compile(r"\b(?:efectivo|cash|contado|metalico|efectiu|dinheiro|numerario|entregado)\b")
_BIZUM: Final = re.compile(r"\bbizum\b")
_PAID: Final = re.compile(r"entregado|efectivo|entrega|cash|recibido|tendered|efectiu|dinheiro|paid")
_CHANGE: Final = re.compile(r"cambio|change|devolucion|a devolver|canvi|troco|vuelta")
_TOTAL: Final = re.compile(r"^\W*(?:sub)?-?total|importe total|a pagar")
_NAME_ROWS: Final = 6


def read_receipt(document: Document) -> Tree:
    items = table(document)
    result = sums(document, items.end + 1 if items.items else 0, items.sum if items.items else None)
    return {
        "receipt_number": invoice_number(document),
        "date": issue_date(document),
        "time": _time(document),
        "total": _total(document, result),
        "currency": money_of(document),
        "taxes": [_tax(one) for one in result.taxes] if result.holds else [],
        "issuer": _issuer(document),
        "payment_method": _payment(document),
        "line_items": line_items(items, result) if items.items else list(_plain_items(document, result)),
    }


def _total(document: Document, result: Sums) -> Found | None:
    item = total(result)
    if item is None or result.holds or result.total is None:
        return item
    amount = result.total.amount
    value = amount.value
    paid, change = _amount_by(document, _PAID), _amount_by(document, _CHANGE)
    rows = list(_priced_rows(document))
    holds = len(rows) > 1 and near(_sum(rows), value)
    if paid is not None and change is not None:
        holds = near(paid.value - change.value, value)
    if holds:
        return found(value, amount.span, LABEL_BESIDE, ARITHMETIC if result.alone else 0.85, verified=True)
    return item


def _amount_by(document: Document, pattern: re.Pattern[str]) -> Amount | None:
    for row in document.sheet.rows:
        if any(pattern.search(segment.plain) for segment in row):
            money = [amount for amount in document.amounts.get(row[0].row, ()) if amount.money]
            if money:
                return money[-1]
    return None


def _sum(rows: Sequence[tuple[Sequence[Segment], Amount]]) -> Decimal:
    return sum((amount.value for _, amount in rows), Decimal(0))


def _priced_rows(document: Document) -> Iterator[tuple[Sequence[Segment], Amount]]:
    """Rows above the total that begin with words and end with an amount."""
    for row in document.sheet.rows:
        if any(_TOTAL.search(segment.plain) for segment in row):
            return
        money = [amount for amount in document.amounts.get(row[0].row, ()) if amount.money]
        letters = sum(character.isalpha() for segment in row for character in segment.text)
        if (
            money
            and letters >= 3
            and money[-1].segment is row[-1]
            and money[-1].end >= len(row[-1].text.rstrip(" €ABCabc"))
        ):
            yield row, money[-1]


def _plain_items(document: Document, result: Sums) -> Iterator[Tree]:
    """Items of a receipt without a header; only those that add up to its total are believed."""
    rows = list(_priced_rows(document))
    if result.total is None or not rows or not near(_sum(rows), result.total.amount.value):
        return
    rate = result.taxes[0].rate if len(result.taxes) == 1 and result.holds else None
    for row, amount in rows:
        first = row[0]
        before = amount.start if amount.segment is first else len(first.text)
        words = re.sub(r"^\d+\s?(?:x|uds?\.?)?\s|\s\d+[.,]\d{2}\b.*$", "", first.text[:before].strip())
        yield {
            "description": found(words, first.span(0, before), LABEL_BESIDE, 0.6) if words else None,
            "quantity": None,
            "unit_price": None,
            "tax_rate": None if rate is None else found(tidy(rate), result.taxes[0].amount.span, 0.95, verified=True),
            "total": found(amount.value, amount.span, 0.6, 0.9, verified=True),
        }


def _tax(tax: Tax) -> Tree:
    return {
        "rate": found(tidy(tax.rate), tax.amount.span, ARITHMETIC, verified=True),
        "base": found(tax.base.value, tax.base.span, ARITHMETIC, verified=True),
        "amount": found(tax.amount.value, tax.amount.span, ARITHMETIC, verified=True),
    }


def _time(document: Document) -> Found | None:
    times = [(segment, match) for segment in document.sheet.segments for match in _TIME.finditer(segment.plain)
             if ":" in match.group() or "h" in match.group()]  # fmt: skip
    if not times:
        return None
    segment, match = times[0]
    hour = int(match[1]) % 12 + 12 if match[3] == "pm" else int(match[1])
    alone = len({one.group()[:5] for _, one in times}) == 1
    return found(f"{hour:02}:{match[2]}", segment.span(*match.span()), SHAPE, 0.7, UNRIVALLED if alone else 0.0)


def _payment(document: Document) -> Found | None:
    """Cards and telephones before cash: tills name that on every receipt."""
    named: list[tuple[str, Span]] = []
    for method, pattern in (("card", _CARD), ("bizum", _BIZUM), ("cash", _CASH)):
        matches = ((segment, pattern.search(segment.plain)) for segment in document.sheet.segments)
        place = next(((segment, match) for segment, match in matches if match is not None), None)
        if place is not None:
            named.append((method, place[0].span(*place[1].span())))
    if not named:
        return None
    method, span = named[0]
    return found(method, span, LABEL_BESIDE, UNRIVALLED if len(named) == 1 else 0.0)


def _issuer(document: Document) -> Tree:
    """The tax id that is printed first, and the name above it: tills print the shop at the top."""
    tax_id = next((one for one in document.tax_ids if one.checked), None)
    names = [
        span for row in document.sheet.rows[:_NAME_ROWS] for segment in row if (span := name_in(segment)) is not None
    ]
    legal = [span for span in names if legal_form(fold(span.text)) is not None]
    matching = [span for span in legal if tax_id is not None and agrees(fold(span.text), tax_id.number)]
    chosen = next(iter([*matching, *legal, *names]), None)
    name = None
    if chosen is not None:
        checks = [LABEL_WEAK] + ([0.6] if chosen in legal else []) + ([0.8] if chosen in matching else [])
        name = found(chosen.text, chosen, *checks)
    if tax_id is None:
        return {"name": name, "nif": None}
    alone = len({one.number for one in document.tax_ids if one.checked}) == 1
    number: Found | None = found(tax_id.number, tax_id.span, CHECK_DIGIT, SHAPE, verified=not tax_id.mended)
    return {"name": name, "nif": number if alone else doubted(number, 0.7)}
