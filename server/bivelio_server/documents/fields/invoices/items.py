"""The items of an invoice: rows under a header, where quantity times price must be the amount."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import permutations
from typing import Final

from bivelio_server.documents.fields.amounts import Amount
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.invoices.columns import Column, Header, Kind, headers
from bivelio_server.documents.fields.layout import Segment
from bivelio_server.reading.port import Word

_END: Final = re.compile(
    r"^(?:(?:sub)?total(?! de horas)|suma|base(?: imponible|s)?\b|imponible|importe (?:total|bruto|neto)"
    r"|total|bruto|i\.?v\.?a\.?\b|vat\b|cuotas?(?: (?:de )?i\.?v\.?a\b.*)?\W*$"
    r"|% ?iva|tipo\b|impuestos|irpf|retencion|forma de pago|observaciones|notas|condiciones|vencimiento"
    r"|net(?:o)?\b|net amount|amount due"
    r"|base de incidencia|resumo|resumen|desglose|dto\.? p\.?p|descuento (?:pronto|comercial|global)|portes\b.*total)"
)
#: Rows of one item stand no farther apart than this, in heights.
_LEADING: Final = 1.1
_MAX_NUMBERS: Final = 7
_MAX_UNHEADED: Final = 60


@dataclass(slots=True)
class Item:
    """One line. `holds` says that quantity × price (− discount) is the amount."""

    words: list[tuple[Segment, Word]]
    quantity: Amount | None = None
    unit_price: Amount | None = None
    discount: Amount | None = None
    tax_rate: Amount | None = None
    amount: Amount | None = None
    holds: bool = False
    last: Segment | None = None
    extra: list[str] = field(default_factory=list)

    @property
    def description(self) -> str:
        return " ".join(word.text for _, word in self.words).strip(" -·:|")


@dataclass(frozen=True, slots=True)
class Table:
    """The items, and the number of the row after which the document goes on."""

    items: Sequence[Item]
    end: int

    @property
    def sum(self) -> Decimal:
        return sum((item.amount.value for item in self.items if item.amount is not None), Decimal(0))


def table(document: Document) -> Table:
    """The items under all headers that look alike; none where there is no header."""
    items: list[Item] = []
    end = 0
    found = list(headers(document.sheet))
    for number, header in enumerate(found):
        stop = found[number + 1].row if number + 1 < len(found) else None
        for item in _under(document, header, stop):
            items.append(item)
            end = max(end, item.last.row if item.last else end)
    return Table([item for item in items if item.amount is not None], end)


def unheaded(document: Document, first_sum: int, base: Decimal) -> Table:
    """The rows above the sums, where no header tells which they are: those whose amounts make exactly the base."""
    items: list[Item] = []
    left = base
    rows = [row for row in document.sheet.rows if row[0].row < first_sum]
    for row in reversed(rows[-_MAX_UNHEADED:]):
        numbers = document.amounts.get(row[0].row, ())
        money = [amount for amount in numbers if amount.money]
        if money and _says_what(row):
            items.append(_unheaded_item(row, money[-1], numbers))
            left -= money[-1].value
        if left <= 0:
            break
    return Table(list(reversed(items)) if left == 0 else [], first_sum - 1)


def _says_what(row: Sequence[Segment]) -> bool:
    return sum(character.isalpha() for character in row[0].text) >= 3


def _unheaded_item(row: Sequence[Segment], amount: Amount, numbers: Sequence[Amount]) -> Item:
    item = Item(words=[], amount=amount, last=row[0])
    _mend(item, numbers)
    used = [one for one in (item.quantity, item.unit_price, item.amount) if one is not None]
    item.words = list(_description_words(row, Header(row[0].row, ()), used))
    return item


def _under(document: Document, header: Header, stop: int | None) -> Iterator[Item]:
    item: Item | None = None
    pending: list[tuple[Segment, Word]] = []
    for row in document.sheet.rows:
        if row[0].row <= header.row or (stop is not None and row[0].row >= stop):
            continue
        if row[0].page > document.sheet.rows[0][0].page + 200 or _ends(row, document):
            break
        read = _read(document, row, header)
        if read.amount is not None:
            if item is not None:
                yield item
            read.words = [*pending, *read.words] if not read.words else read.words
            item, pending = read, []
        elif item is not None and read.words and _goes_on(item, row):
            item.words += read.words
            item.last = row[0]
        elif read.words and item is None:
            pending += read.words
    if item is not None:
        yield item


def _ends(row: Sequence[Segment], document: Document) -> bool:
    """A sum or what comes after it. An item may be called "Total care", but then there is more than a sum beside it."""
    return any(_END.match(segment.plain.lstrip(" *")) for segment in row[:2]) and len(
        [amount for amount in document.amounts.get(row[0].row, ()) if not amount.percent]
    ) < 3  # fmt: skip


def _goes_on(item: Item, row: Sequence[Segment]) -> bool:
    last = item.last
    if last is None or last.page != row[0].page:
        return False
    return row[0].box.y0 - last.box.y1 < _LEADING * last.height


def _read(document: Document, row: Sequence[Segment], header: Header) -> Item:
    numbers = [amount for amount in document.amounts.get(row[0].row, ()) if _may_be_cell(amount, header)]
    cells = _assigned(numbers, header)
    item = Item(words=[], last=row[0])
    item.quantity, item.unit_price = cells.get("quantity"), cells.get("unit_price")
    item.discount, item.tax_rate, item.amount = cells.get("discount"), cells.get("tax_rate"), cells.get("amount")
    item.holds = _holds(item)
    if not item.holds:
        _mend(item, numbers)
    used = [
        one for one in (item.quantity, item.unit_price, item.discount, item.tax_rate, item.amount) if one is not None
    ]
    item.words = list(_description_words(row, header, used))
    return item


def _may_be_cell(amount: Amount, header: Header) -> bool:
    description = header.column("description")
    box = amount.span.box
    if description is None:
        return True
    left = [column for column in header.numeric if column.x1 < description.x0]
    return box.x0 > description.x1 or any(column.distance(box.x0, box.x1) < 20 for column in left)


def _assigned(numbers: Sequence[Amount], header: Header) -> dict[Kind, Amount]:
    """Each number to its nearest column, the nearest pair first."""
    pairs = sorted(
        ((_distance(column, number), column.kind, number) for column in header.numeric for number in numbers),
        key=lambda pair: pair[0],
    )
    cells: dict[Kind, Amount] = {}
    taken: list[Amount] = []
    for distance, kind, number in pairs:
        if kind in cells or number in taken or distance > 45 or not _fits(kind, number):
            continue
        cells[kind] = number
        taken.append(number)
    return cells


def _distance(column: Column, number: Amount) -> float:
    box = number.span.box
    return column.distance(box.x0, box.x1)


def _fits(kind: Kind, number: Amount) -> bool:
    if kind in ("amount", "unit_price"):
        return not number.percent
    if kind == "tax_rate":
        return Decimal(0) <= number.value <= Decimal(30)
    if kind == "discount":
        return number.value <= 100 or number.money
    return not number.percent


def _holds(item: Item) -> bool:
    if item.quantity is None or item.unit_price is None or item.amount is None:
        return False
    return product_is(item.quantity.value, item.unit_price.value, item.amount.value,
                      item.discount.value if item.discount else None)  # fmt: skip


def product_is(quantity: Decimal, price: Decimal, amount: Decimal, discount: Decimal | None = None) -> bool:
    """Within a cent: sellers round in different places. A discount may be a percentage or money."""
    gross = quantity * price
    results = [gross] if not discount else [gross * (1 - discount / 100), gross - discount, gross]
    return any(abs(result - amount) <= Decimal("0.011") for result in results)


def _mend(item: Item, numbers: Sequence[Amount]) -> None:
    """Columns that are set askew: the amounts that make quantity × price true, if there are any, are the right ones."""
    values = [number for number in numbers if not number.percent][:_MAX_NUMBERS]
    for quantity, price, amount in permutations(values, 3):
        if quantity.start_x > price.start_x or amount.start_x < price.start_x or quantity.value == 1 == price.value:
            continue
        if amount.value and product_is(quantity.value, price.value, amount.value):
            item.quantity, item.unit_price, item.amount, item.holds = quantity, price, amount, True
            return


def _description_words(
    row: Sequence[Segment], header: Header, used: Sequence[Amount]
) -> Iterator[tuple[Segment, Word]]:
    cells = [amount.span.box for amount in used]
    for segment in row:
        for word, start in zip(segment.words, segment.starts, strict=True):
            if any(amount.segment is segment and amount.start <= start < amount.end for amount in used):
                continue
            if any(box.x0 <= word.box.x0 <= box.x1 for box in cells) or word.text in ("€", "EUR", "%"):
                continue
            if not _left_of_description(word, header):
                yield segment, word


def _left_of_description(word: Word, header: Header) -> bool:
    """In a column of codes or of quantities that comes before the description's."""
    description = header.column("description")
    if description is None or word.box.x0 >= description.x0 - 4:
        return False
    middle = (word.box.x0 + word.box.x1) / 2
    before = [column for column in header.columns if column.kind != "description" and column.x0 < description.x0]
    return any(middle < (column.x1 + description.x0) / 2 for column in before)
