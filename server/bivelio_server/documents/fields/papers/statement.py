"""Bank statements: movements whose running balance must hold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bivelio_server.documents.fields.amounts import Amount
from bivelio_server.documents.fields.choosing import money_reader
from bivelio_server.documents.fields.dates import Dated
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import (
    ARITHMETIC,
    LABEL_BESIDE,
    LABEL_WEAK,
    SHAPE,
    UNRIVALLED,
    Found,
    Tree,
    found,
)  # fmt: skip
from bivelio_server.documents.fields.invoices.invoice import money_of
from bivelio_server.documents.fields.labels import Label, label, labelled
from bivelio_server.documents.fields.layout import Segment
from bivelio_server.documents.fields.tax_ids import ibans_in

_OPENING: Final = (label(r"saldo (?:anterior|inicial|a cuenta nueva|al inicio|de apertura)",
                         r"(?:opening|previous|starting) balance",
                         r"saldo anterior a?l? ?[\d/]*"),)  # fmt: skip
_CLOSING: Final = (
    label(
        r"saldo (?:final|actual|nuevo|al final|de cierre|a su favor)", r"nuevo saldo", r"(?:closing|new|ending) balance"
    ),
)
_BALANCES: Final = re.compile(
    r"saldo (?:anterior|inicial|final|actual|nuevo)|(?:opening|closing) balance"
    r"|total(?:es)?\b"
)
_CURRENCIES: Final = ("€", "EUR")
_PERIOD: Final = re.compile(r"\b(?:periodo|desde|del|period|extracto de|statement period|from)\b")


@dataclass(frozen=True, slots=True)
class _Row:
    """One movement as printed: one or two dates, words, and an amount with or without the balance after it."""

    date: Dated
    words: str
    place: Segment
    amounts: Sequence[Amount]


@dataclass(frozen=True, slots=True)
class _Movement:
    row: _Row
    amount: Decimal
    holds: bool


def read_statement(document: Document) -> Tree:
    rows = [row for cells in document.sheet.rows if (row := _row(document, cells)) is not None]
    opening, closing = _balance(document, _OPENING), _balance(document, _CLOSING)
    movements = _signed(rows, opening)
    held = _held(opening, closing, movements)
    start, end = _period(document, rows)
    return {
        "iban": _iban(document),
        "period": {"start": start, "end": end},
        "opening_balance": _balance_found(opening, held),
        "closing_balance": _balance_found(closing, held) or _last_balance(movements),
        "currency": money_of(document),
        "movements": [_movement(one, held=held) for one in movements],
    }


def _row(document: Document, cells: Sequence[Segment]) -> _Row | None:
    dates = document.dates(cells[0])
    money = [amount for amount in document.amounts.get(cells[0].row, ()) if amount.money]
    if not dates or dates[0].start > 3 or not money or _BALANCES.search(" ".join(cell.plain for cell in cells)):
        return None
    words: list[str] = []
    for cell in cells:
        skip = [(dated.start, dated.end) for dated in document.dates(cell)]
        skip += [(amount.start, amount.end) for amount in money if amount.segment is cell]
        words += [word.text for word, start in zip(cell.words, cell.starts, strict=True)
                  if not any(begin <= start < end for begin, end in skip) and word.text not in _CURRENCIES]  # fmt: skip
    return _Row(dates[0], " ".join(words), cells[0], money)


def _signed(rows: Sequence[_Row], opening: Amount | None) -> list[_Movement]:
    """Columns for debit and credit print no sign: the balance tells it. Statements may run backwards in time."""
    best: list[_Movement] = []
    for backwards in (False, True):
        ordered = list(reversed(rows)) if backwards else list(rows)
        made = _run(ordered, opening.value if opening is not None else None)
        made = list(reversed(made)) if backwards else made
        if not best or sum(one.holds for one in made) > sum(one.holds for one in best):
            best = made
    return best


def _run(rows: Sequence[_Row], balance: Decimal | None) -> list[_Movement]:
    movements: list[_Movement] = []
    for row in rows:
        after = row.amounts[-1].value if len(row.amounts) > 1 else None
        amount = row.amounts[0].value
        holds = False
        if balance is not None and after is not None:
            if abs(balance + amount - after) <= Decimal("0.005"):
                holds = True
            elif abs(balance - amount - after) <= Decimal("0.005"):
                amount, holds = -amount, True
        balance = after if after is not None else (balance + amount if balance is not None else None)
        movements.append(_Movement(row, amount, holds))
    return movements


def _balance(document: Document, labels: Sequence[Label]) -> Amount | None:
    best = max(labelled(document.sheet, labels, money_reader(document)), key=lambda one: one.strength, default=None)
    if best is not None:
        return best.value
    for row in document.sheet.rows:
        if any(one.pattern.search(segment.plain) for one in labels for segment in row):
            money = [amount for amount in document.amounts.get(row[0].row, ()) if amount.money]
            if money:
                return money[-1]
    return None


def _held(opening: Amount | None, closing: Amount | None, movements: Sequence[_Movement]) -> bool:
    if opening is None or closing is None or not movements:
        return False
    moved = sum((one.amount for one in movements), Decimal(0))
    return abs(opening.value + moved - closing.value) <= Decimal("0.005")


def _balance_found(amount: Amount | None, held: bool) -> Found | None:
    if amount is None:
        return None
    return found(amount.value, amount.span, LABEL_BESIDE - 0.1, ARITHMETIC if held else 0.0, verified=held)


def _last_balance(movements: Sequence[_Movement]) -> Found | None:
    """Of a statement that names no closing balance: the one beside the last movement."""
    if not movements or len(movements[-1].row.amounts) < 2:
        return None
    amount = movements[-1].row.amounts[-1]
    return found(amount.value, amount.span, LABEL_WEAK, 0.4)


def _movement(one: _Movement, *, held: bool) -> Tree:
    row = one.row
    amount, after = row.amounts[0], row.amounts[-1] if len(row.amounts) > 1 else None
    checks = [0.5] + ([ARITHMETIC] if one.holds else []) + ([0.9] if held else [])
    return {
        "date": found(row.date.iso, row.date.span, LABEL_BESIDE, SHAPE, 0.5 if row.date.sure else 0.0),
        "description": found(row.words, row.place.span(), LABEL_BESIDE, 0.6) if row.words else None,
        "amount": found(one.amount, amount.span, *checks, verified=one.holds or held),
        "balance": found(after.value, after.span, *checks, verified=one.holds) if after is not None else None,
    }


def _iban(document: Document) -> Found | None:
    """The first: transfers name other accounts further down."""
    accounts = [(number, span) for segment in document.sheet.segments for number, span in ibans_in(segment)]
    if not accounts:
        return None
    number, span = accounts[0]
    return found(number, span, 0.9, UNRIVALLED if len({one for one, _ in accounts}) == 1 else 0.0, verified=True)


def _period(document: Document, rows: Sequence[_Row]) -> tuple[Found | None, Found | None]:
    """As printed above the movements, and then those must lie within it."""
    for segment in document.sheet.segments:
        dates = document.dates(segment)
        if len(dates) >= 2 and _PERIOD.search(segment.plain):
            start, end = dates[0], dates[1]
            within = bool(rows) and all(start.value <= row.date.value <= end.value for row in rows)
            check = 0.8 if within else 0.0
            return (found(start.iso, start.span, LABEL_BESIDE, check, verified=within),
                    found(end.iso, end.span, LABEL_BESIDE, check, verified=within))  # fmt: skip
    return None, None
