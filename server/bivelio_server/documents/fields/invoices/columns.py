"""The header of a table of items: which column is where."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from bivelio_server.documents.fields.layout import Segment, Sheet

Kind: TypeAlias = Literal["reference", "description", "quantity", "unit_price", "discount", "tax_rate", "amount"]

#: The first that fits counts: "precio total" is an amount, "% dto" a discount.
_WORDINGS: Final[tuple[tuple[Kind, str], ...]] = (
    ("discount", r"%?\s?(?:dto|desc|dcto)\b\.?\s?%?|descuento|discount|desconto|descompte|rabatt"),
    ("amount", (r"(?:precio|importe|valor|total)\s(?:total|neto|linea|bruto)|importe(?: \(?eur\)?)?|amount"
               r"|montante|import\b"
               r"|total(?: linea)?\b|neto\b|subtotal|line total|valor\b|prijs incl\. btw|zeilenbetrag|base\b")),
    ("unit_price", (r"(?:precio|preco|preu|coste|valor)(?:\s?/?\s?(?:unit(?:ario|ari)?|ud|hora|u|uni"
                   r"|un)?\b\.?)?|p\.?\s?(?:v\.?p\.?|unit(?:ario)?|u|uni)\b\.?"
                   r"|p/u\b|unit price|unit cost|price(?: per \w+)?|tarifa|rate|pvp|prijs per stuk|vk-preis")),
    ("quantity", (r"cant(?:idad|\b)\.?|unidades|unid\b\.?|uds?\b\.?|qty|quantity|quant(?:idade|itat)?\b\.?"
                 r"|qtd?e?\b\.?|unitats|horas|hours|hrs"
                 r"|aantal|menge|n\.?o uds")),
    ("tax_rate", (r"%?\s?(?:tipo\s)?(?:de\s)?(?:i\.?v\.?a\b\.?|i\.?g\.?i\.?c\b\.?)\s?(?:\(?%\)?)?"
                 r"|vat(?: rate)?\s?%?|tax(?: rate)?|tipo\b|impuesto|btw")),
    ("description", (r"concepto(?:s)?|descripcion(?: del? \w+)?|articulo(?:s)?|detalle|producto(?:s)?"
                    r"|servicios?\b|descricao|description|item|items|details"
                    r"|descripcio|concepte|denominacion|designacao|designacio|trabajos realizados|artikel"
                    r"|beschreibung")),
    ("reference", r"ref(?:erencia)?\b\.?|codigo|cod\b\.?|code|sku|pos\b\.?|linea\b|n\.?o\b|codi|art\b\.?"),
)  # fmt: skip
_HEADS: Final = tuple((kind, re.compile(rf"(?<![a-z])(?:{wording})(?![a-z])")) for kind, wording in _WORDINGS)


@dataclass(frozen=True, slots=True)
class Column:
    kind: Kind
    x0: float
    x1: float

    def distance(self, x0: float, x1: float) -> float:
        """Numbers stand under the right edge of their header, its left edge or its middle."""
        middle = abs((x0 + x1) - (self.x0 + self.x1)) / 2
        return min(abs(x1 - self.x1), abs(x0 - self.x0), middle)


@dataclass(frozen=True, slots=True)
class Header:
    row: int
    columns: tuple[Column, ...]

    def column(self, kind: Kind) -> Column | None:
        return next((column for column in self.columns if column.kind == kind), None)

    @property
    def numeric(self) -> tuple[Column, ...]:
        return tuple(one for one in self.columns if one.kind not in ("description", "reference"))


def headers(sheet: Sheet) -> Iterator[Header]:
    """Every row that heads a table of items; a table that goes on repeats it on the next page."""
    for index, row in enumerate(sheet.rows):
        columns = _columns(row)
        kinds = {column.kind for column in columns}
        if not _heads_items(kinds, row):
            continue
        if index + 1 < len(sheet.rows) and _is_second_line(row, sheet.rows[index + 1]):
            columns = _merged(columns, _columns(sheet.rows[index + 1]))
        yield Header(row[0].row, tuple(sorted(columns, key=lambda column: column.x0)))


def _heads_items(kinds: set[Kind], row: Sequence[Segment]) -> bool:
    if any(character.isdigit() for segment in row for character in segment.text if segment.text.count(",")):
        return False
    sums = kinds & {"amount", "unit_price"}
    return bool(sums) and (
        "description" in kinds or len(kinds & {"quantity", "unit_price", "amount", "reference"}) >= 3
    )


def _columns(row: Sequence[Segment]) -> list[Column]:
    columns: list[Column] = []
    for segment in row:
        taken: list[tuple[int, int]] = []
        for kind, pattern in _HEADS:
            for match in pattern.finditer(segment.plain):
                if any(match.start() < end and match.end() > start for start, end in taken):
                    continue
                if any(column.kind == kind for column in columns) and kind != "amount":
                    continue
                taken.append(match.span())
                columns.append(_column(kind, segment, match))
    return _last_amount_only(columns)


def _column(kind: Kind, segment: Segment, match: re.Match[str]) -> Column:
    first = next(index for index in range(len(segment.starts) - 1, -1, -1) if segment.starts[index] <= match.start())
    last = next(index for index in range(len(segment.starts) - 1, -1, -1) if segment.starts[index] < match.end())
    return Column(kind, segment.words[first].box.x0, segment.words[max(first, last)].box.x1)


def _last_amount_only(columns: Sequence[Column]) -> list[Column]:
    amounts = sorted((column for column in columns if column.kind == "amount"), key=lambda column: column.x0)
    return [column for column in columns if column.kind != "amount" or column is amounts[-1]]


def _is_second_line(row: Sequence[Segment], following: Sequence[Segment]) -> bool:
    close = following[0].box.y0 - row[0].box.y1 < 0.8 * row[0].height and following[0].page == row[0].page
    return close and not any(character.isdigit() for segment in following for character in segment.text)


def _merged(columns: Sequence[Column], more: Sequence[Column]) -> list[Column]:
    kinds = {column.kind for column in columns}
    return [*columns, *(column for column in more if column.kind not in kinds)]
