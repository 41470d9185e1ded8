"""CSV as spreadsheets write and read it."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.text import Text

Delimiter = Literal[",", ";", "\t", "|"]
Encoding = Literal["utf-8", "utf-16", "cp1252", "latin-1"]
#: A row's number as a spreadsheet shows it, and its cells.
Row: TypeAlias = tuple[int, list[str]]

DELIMITERS: Final[tuple[Delimiter, ...]] = (",", ";", "\t", "|")
_SNIFFED_ROWS: Final = 20
_BOM: Final = "\ufeff"
#: What a spreadsheet may take for a formula, also behind quotes and spaces, and in the full width of East Asian fonts.
_FORMULA: Final = re.compile(r"[\s'\"`\u2018\u2019\u201c\u201d]*[=+\-@\uff1d\uff0b\uff0d\uff20\u2212\t\r\n\x00]")


def decode(content: bytes, encoding: Encoding | None) -> str:
    """The text; without `encoding` it is UTF-8 (or what its byte order mark says), else Windows' Western European.

    Raises ValidationFailed.
    """
    chosen = encoding or _detect(content)
    try:
        return content.decode(chosen).removeprefix(_BOM)
    except UnicodeDecodeError as error:
        text = _NOT_ENCODED.format(encoding=chosen, position=error.start)
        raise ValidationFailed(Problem("encoding", "encoding", text)) from None


def sniff(text: str) -> Delimiter:
    """The delimiter that splits the first rows into the most columns, as evenly as any."""
    return max(DELIMITERS, key=lambda delimiter: _evenness(text, delimiter))


def read_rows(text: str, delimiter: Delimiter) -> Iterator[Row]:
    """Every row that is not empty. Raises ValidationFailed at one that is no CSV."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            if any(cells) and not (number == 1 and _is_excels_hint(cells)):
                yield number, cells
    except csv.Error:
        raise ValidationFailed(Problem("file", "csv", _NOT_CSV.format(row=number + 1))) from None


def write_rows(rows: Iterable[Iterable[str]], delimiter: Delimiter, *, first: bool = False) -> bytes:
    """CSV in UTF-8, every cell quoted and none a formula; the `first` piece begins with the mark that Excel needs."""
    out = io.StringIO(_BOM if first else "", newline="")
    out.seek(0, io.SEEK_END)
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([guarded(cell) for cell in cells] for cells in rows)
    return out.getvalue().encode()


def guarded(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet might execute; `unguarded` gives it back as it was."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell


def _detect(content: bytes) -> Encoding:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _evenness(text: str, delimiter: Delimiter) -> tuple[int, int]:
    """Of the first rows: how many have the commonest width, if that is more than one column, and this width."""
    widths: list[int] = []
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)):
            if number >= _SNIFFED_ROWS:
                break
            if cells and not (number == 0 and _is_excels_hint(cells)):
                widths.append(len(cells))
    except csv.Error:
        return 0, 0
    commonest = max(set(widths), key=lambda width: (widths.count(width), width), default=1)
    return (widths.count(commonest), commonest) if commonest > 1 else (0, 0)


def _is_excels_hint(cells: list[str]) -> bool:
    """`sep=;` in the first line tells Excel the delimiter; it is no row."""
    return cells[0].lower().startswith("sep=") and len("".join(cells)) <= len("sep=;")


_NOT_ENCODED: Final = Text(
    "El fichero no está en {encoding} (byte {position}).", "The file is not in {encoding} (byte {position})."
)
_NOT_CSV: Final = Text(
    "La fila {row} del fichero no es CSV (¿falta cerrar unas comillas?).",
    "Row {row} of the file is not CSV (is a closing quote missing?).",
)
