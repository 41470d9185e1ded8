"""Reading an uploaded file: what can be said at once is said at once, the rest is cut into pieces for the job."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from bivelio_server.contacts import columns, spreadsheets
from bivelio_server.contacts.columns import Column
from bivelio_server.contacts.schemas import ContactImport
from bivelio_server.contacts.spreadsheets import Row
from bivelio_server.kit import json
from bivelio_server.kit.errors import BodyTooLarge, Problem, ValidationFailed
from bivelio_server.kit.text import Text

MAX_FILE_BYTES: Final = 32 * 1024 * 1024
MAX_ROWS: Final = 100_000
#: The rows of one batch of the job.
PIECE_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Upload:
    columns: list[Column]
    header: list[str] | None
    rows: int
    pieces: list[bytes]

    def mapping(self) -> dict[str, str]:
        """Which column fills which field, as a person would say it."""
        return {self._name(column.place): column.field for column in self.columns}

    def _name(self, place: int) -> str:
        named = self.header[place].strip() if self.header and place < len(self.header) else ""
        return named or str(place + 1)


def read_upload(data: ContactImport) -> Upload:
    """Raises ValidationFailed. Takes about a second for the largest file."""
    content = data.content()
    if len(content) > MAX_FILE_BYTES:
        raise BodyTooLarge(Problem("file", "max_length", _TOO_LARGE))
    text = spreadsheets.decode(content, data.encoding)
    rows = spreadsheets.read_rows(text, data.delimiter or spreadsheets.sniff(text))
    first = list(islice(rows, 1))
    if not first:
        raise ValidationFailed(Problem("file", "min_items", _NO_ROWS))
    header = [spreadsheets.unguarded(cell) for cell in first[0][1]] if data.has_header else None
    used = _columns(data, header, len(first[0][1]))
    pieces, count = _pack([] if data.has_header else first, rows, used)
    if count == 0:
        raise ValidationFailed(Problem("file", "min_items", _NO_ROWS))
    return Upload(used, header, count, pieces)


def _columns(data: ContactImport, header: Sequence[str] | None, width: int) -> list[Column]:
    if data.mapping is not None:
        used = columns.resolve(data.mapping, header, width)
    elif header is None:
        raise ValidationFailed(Problem("mapping", "required", _NO_MAPPING))
    else:
        used = columns.guess(header)
    fields = {column.field for column in used}
    if data.match != "none" and data.match not in fields:
        raise ValidationFailed(Problem("match", "mapped", _KEY_NOT_MAPPED.format(field=data.match)))
    if data.match == "none" and not fields & {"name", "first_name", "last_name"}:
        raise ValidationFailed(Problem("mapping", "required", _NO_NAME))
    return used


def _pack(first: Sequence[Row], rows: Any, used: Sequence[Column]) -> tuple[list[bytes], int]:
    """The used cells of all rows, by pieces; how many rows there are."""
    pieces: list[bytes] = []
    count, piece = 0, list(first)
    while True:
        piece += islice(rows, PIECE_ROWS - len(piece))
        if not piece:
            return pieces, count
        count += len(piece)
        if count > MAX_ROWS:
            raise ValidationFailed(Problem("file", "max_items", _TOO_MANY_ROWS))
        pieces.append(json.dumps([(number, [_cell(cells, column) for column in used]) for number, cells in piece]))
        piece = []


def _cell(cells: Sequence[str], column: Column) -> str:
    return cells[column.place] if column.place < len(cells) else ""


_TOO_LARGE: Final = Text(
    f"El fichero supera los {MAX_FILE_BYTES} bytes.", f"The file is larger than {MAX_FILE_BYTES} bytes."
)
_NO_ROWS: Final = Text("El fichero no tiene filas.", "The file has no rows.")
_TOO_MANY_ROWS: Final = Text(
    f"El fichero tiene más de {MAX_ROWS} filas: divídelo.", f"The file has more than {MAX_ROWS} rows: split it."
)
_NO_MAPPING: Final = Text(
    "Sin cabecera hay que indicar 'mapping', con números de columna desde 1.",
    "Without a header 'mapping' must be given, with numbers of columns from 1.",
)
_KEY_NOT_MAPPED: Final = Text(
    "Ninguna columna es '{field}': indícala en 'mapping', o usa \"match\": \"none\".",
    "No column is '{field}': name it in 'mapping', or use \"match\": \"none\".",
)
_NO_NAME: Final = Text(
    "Ninguna columna es el nombre ('name'): indícala en 'mapping'.",
    "No column is the name ('name'): say which in 'mapping'.",
)
