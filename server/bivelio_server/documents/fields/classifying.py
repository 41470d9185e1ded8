"""What kind of document it is, by the words and structures that only such documents have."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import together
from bivelio_server.documents.fields.invoices.columns import headers
from bivelio_server.documents.fields.kinds import ANYWHERE, HEAD, SUBCATEGORIES
from bivelio_server.documents.fields.layout import Sheet
from bivelio_server.documents.fields.papers import mrz
from bivelio_server.documents.fields.tax_ids import ibans_in

#: From here on a label is believed, if it is this much likelier than the next.
_ENOUGH: Final = 0.6
_MARGIN: Final = 0.12
#: How much a rival takes away.
_RIVALRY: Final = 0.5
_HEAD_ROWS: Final = 14
_NARROW: Final = 330.0
_MOST: Final = 0.99
_MAX_TEXT: Final = 60_000


@dataclass(frozen=True, slots=True)
class Guess:
    """`label` is None where none is likely enough among those allowed."""

    label: str | None
    confidence: float
    scores: dict[str, float]
    subcategory: str | None = None


def guess(document: Document, categories: Sequence[str] | None = None) -> Guess:
    """The likeliest of the categories. What surely is of a kind that is not among them is `other`, if that one is."""
    scores = _scores(document)
    ranked = sorted(scores, key=lambda label: -scores[label])
    first, second = ranked[0], ranked[1]
    confidence = round(min(scores[first] * (1 - _RIVALRY * max(scores[second] - 0.4, 0.0)), _MOST), 2)
    believed = confidence >= _ENOUGH and scores[first] - scores[second] >= _MARGIN
    label = _allowed(first, categories) if believed else None
    return Guess(label, confidence, scores, _subcategory(first, document) if label == first else None)


def _allowed(label: str, categories: Sequence[str] | None) -> str | None:
    if categories is None or label in categories:
        return label
    if label == "receipt" and "invoice" in categories:
        return "invoice"
    return "other" if "other" in categories else None


def _scores(document: Document) -> dict[str, float]:
    sheet = document.sheet
    everything = sheet.plain[:_MAX_TEXT]
    head = "\n".join(" ".join(segment.plain for segment in row) for row in sheet.rows[:_HEAD_ROWS])
    scores: dict[str, float] = {}
    for label in HEAD:
        weights = [weight for weight, pattern in HEAD[label] if re.search(pattern, head)]
        weights += [weight for weight, pattern in ANYWHERE[label] if re.search(pattern, everything)]
        weights += [weight for weight, shows in _STRUCTURES.get(label, ()) if shows(document)]
        scores[label] = round(together(*weights), 3)
    return scores


def _has_zone(document: Document) -> bool:
    zone = mrz.find(document.sheet)
    return zone is not None and all(zone.checks.values())


def _is_narrow(document: Document) -> bool:
    return 0 < max(document.sheet.widths.values(), default=0.0) < _NARROW


def _has_items(document: Document) -> bool:
    return next(headers(document.sheet), None) is not None


def _bills_somebody(document: Document) -> bool:
    return len({one.number for one in document.tax_ids if one.checked}) == 2


def _has_account(document: Document) -> bool:
    return any(True for segment in document.sheet.segments for _ in ibans_in(segment))


def _runs_long(document: Document) -> bool:
    """Prose, not a form: most rows are one long segment."""
    long = sum(len(row) == 1 and len(row[0].text) > 60 for row in document.sheet.rows)
    return long >= 8 and long > 0.4 * len(document.sheet.rows)


def _lists_movements(document: Document) -> bool:
    return sum(_is_movement(document, document.sheet, index) for index in range(len(document.sheet.rows))) >= 4


def _is_movement(document: Document, sheet: Sheet, index: int) -> bool:
    row = sheet.rows[index]
    dates = document.dates(row[0])
    money = [amount for amount in document.amounts.get(row[0].row, ()) if amount.money]
    return bool(dates) and dates[0].start == 0 and bool(money)


_STRUCTURES: Final[Mapping[str, Sequence[tuple[float, Callable[[Document], bool]]]]] = {
    "invoice": ((0.35, _has_items), (0.25, _bills_somebody)),
    "receipt": ((0.45, _is_narrow),),
    "contract": ((0.2, _runs_long),),
    "deed": ((0.15, _runs_long),),
    "bank_statement": ((0.4, _lists_movements), (0.15, _has_account)),
    "report": ((0.2, _runs_long),),
    "id_document": ((0.97, _has_zone),),
}


def _subcategory(label: str, document: Document) -> str | None:
    plain = document.sheet.plain[:_MAX_TEXT]
    matches = [
        (match.start(), name) for name, pattern in SUBCATEGORIES.get(label, ()) if (match := re.search(pattern, plain))
    ]
    return min(matches)[1] if matches else None
