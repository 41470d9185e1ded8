"""From a reading to the declared fields of its type."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bivelio_server.documents.fields.classifying import guess
from bivelio_server.documents.fields.document import Document, open_document
from bivelio_server.documents.fields.electronic import electronic_invoice
from bivelio_server.documents.fields.found import Tree, plain
from bivelio_server.documents.fields.found import fields as fields_of
from bivelio_server.documents.fields.invoices.invoice import read_invoice
from bivelio_server.documents.fields.invoices.receipt import read_receipt
from bivelio_server.documents.fields.layout import Sheet
from bivelio_server.documents.fields.papers.contract import read_contract
from bivelio_server.documents.fields.papers.deed import read_deed
from bivelio_server.documents.fields.papers.identity import read_identity
from bivelio_server.documents.fields.papers.payslip import read_payslip
from bivelio_server.documents.fields.papers.statement import read_statement
from bivelio_server.documents.fields.results import Extraction, Field, Source
from bivelio_server.documents.fields.types import TYPES
from bivelio_server.reading.port import Reading

_READERS: Final[Mapping[str, Callable[[Document], Tree]]] = {
    "invoice": read_invoice,
    "receipt": read_receipt,
    "contract": read_contract,
    "deed": read_deed,
    "id_document": read_identity,
    "payslip": read_payslip,
    "bank_statement": read_statement,
}
#: Amounts say nothing without it, so it comes along with them.
_WITH_AMOUNTS: Final = "currency"
_AMOUNTS: Final = frozenset({"total", "subtotal", "taxes", "line_items", "withholding", "surcharge"})


def extract(
    reading: Reading,
    document_type: str | None = None,
    fields: Sequence[str] | None = None,
    language: str | None = None,
) -> Extraction:
    """The fields of a document: all of its type, or those named by `fields`, which `field_names` lists. Without
    `document_type` it is told from the document. Raises KeyError for a type without declared fields."""
    if document_type is not None and document_type not in TYPES:
        raise KeyError(document_type)
    electronic = electronic_invoice(reading) if document_type in (None, "invoice") else None
    if electronic is not None:
        return _result("invoice", electronic, fields, "xml")
    document = open_document(reading, language)
    known = document_type or guess(document, tuple(TYPES)).label
    source: Source = "ocr" if document.sheet.by_ocr else "text"
    if known is None:
        return Extraction(None, 0.0, {}, (), source)
    return _shown(_result(known, _READERS[known](document), fields, source), document.sheet)


def field_names(document_type: str) -> tuple[str, ...]:
    """What `extract` can be asked for. Raises KeyError for a type without declared fields."""
    return tuple(TYPES[document_type].model_fields)


def _result(document_type: str, tree: Tree, wanted: Sequence[str] | None, source: Source) -> Extraction:
    names = _wanted(document_type, wanted)
    narrowed: Tree = {name: tree.get(name) for name in names}
    extracted = plain(narrowed) or dict.fromkeys(names)
    known = tuple(fields_of(narrowed))
    keys = [name for name in TYPES[document_type].key_fields if name in names] or list(names)
    return Extraction(document_type, _together(keys, known), extracted, known, source)


def _shown(extraction: Extraction, sheet: Sheet) -> Extraction:
    """With the places of the pages as they are shown."""
    fields = tuple(
        replace(one, box=sheet.shown(one.page, one.box)) if one.page is not None and one.box is not None else one
        for one in extraction.fields
    )
    return replace(extraction, fields=fields)


def _wanted(document_type: str, wanted: Sequence[str] | None) -> list[str]:
    declared = field_names(document_type)
    if wanted is None:
        return list(declared)
    amounts = _WITH_AMOUNTS in declared and not _AMOUNTS.isdisjoint(wanted)
    return [name for name in declared if name in wanted or (amounts and name == _WITH_AMOUNTS)]


def _together(keys: Sequence[str], known: Sequence[Field]) -> float:
    """The mean of the fields, where one that is missing counts as 0 and a group is as sure as its parts."""
    if not keys:
        return 0.0
    return round(sum(_of(key, known) for key in keys) / len(keys), 2)


def _of(key: str, known: Sequence[Field]) -> float:
    parts = [one.confidence for one in known if one.path == key or one.path.startswith((f"{key}.", f"{key}["))]
    return sum(parts) / len(parts) if parts else 0.0
