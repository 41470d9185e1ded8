"""A reading, laid out, with everything in it that has the form of an amount, a date or a tax id."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from bivelio_server.documents.fields.amounts import Amount, Mark, amounts_in, decimal_mark
from bivelio_server.documents.fields.dates import Dated, DayFirst, dates_in, day_order
from bivelio_server.documents.fields.languages import detect
from bivelio_server.documents.fields.layout import Segment, Sheet, lay_out
from bivelio_server.documents.fields.tax_ids import TaxId, tax_ids_in
from bivelio_server.reading.port import Reading

_MAX_IDS: Final = 200


@dataclass(frozen=True, slots=True)
class Document:
    """`amounts` are by the number of their row, from left to right."""

    sheet: Sheet
    language: str | None
    mark: Mark
    order: DayFirst
    amounts: Mapping[int, Sequence[Amount]]
    tax_ids: Sequence[TaxId]

    def dates(self, segment: Segment) -> list[Dated]:
        return list(dates_in(segment, self.order))

    def amounts_at(self, segment: Segment, start: int = 0) -> list[Amount]:
        return [
            amount
            for amount in self.amounts.get(segment.row, ())
            if amount.segment is segment and amount.start >= start
        ]


def open_document(reading: Reading, language: str | None = None) -> Document:
    """`language` is that of the document, where the caller knows it."""
    sheet = lay_out(reading)
    spoken = language or detect(sheet.plain)
    mark = decimal_mark(sheet)
    amounts: dict[int, list[Amount]] = defaultdict(list)
    for segment in sheet.segments:
        amounts[segment.row].extend(amounts_in(segment, mark))
    ids = list(islice((tax_id for segment in sheet.segments for tax_id in tax_ids_in(segment)), _MAX_IDS))
    return Document(sheet, spoken, mark, day_order(sheet, spoken), amounts, ids)
