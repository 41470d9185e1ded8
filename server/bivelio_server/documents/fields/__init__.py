"""What a document says, from what was read of it: its fields with their places, and what kind of document it is.

Pure functions: they touch neither the database nor the network. `None` is what is not in the document, or what is too
uncertain to say; a value is never made up.
"""

from collections.abc import Sequence

from bivelio_server.ai.port import JSONSchema
from bivelio_server.documents.fields.results import Classification, Extraction, Field, Source
from bivelio_server.reading.port import Reading

__all__ = ["DOCUMENT_TYPES", "Classification", "Extraction", "Field", "Source", "classify", "extract", "schema_of"]

#: The types of document whose fields are declared.
DOCUMENT_TYPES = ("invoice", "receipt", "contract", "deed", "id_document", "payslip", "bank_statement")


def schema_of(document_type: str) -> JSONSchema:
    """The JSON schema of the `extracted` of a type, one property a field, every one nullable."""
    return {"type": "object", "title": document_type, "properties": {}, "additionalProperties": False}


def extract(
    reading: Reading,
    document_type: str | None = None,
    fields: Sequence[str] | None = None,
    language: str | None = None,  # noqa: ARG001 - the rules that read by it come next
) -> Extraction:
    """The fields of a document of this type (or of the type that it turns out to be), narrowed to `fields`."""
    source: Source = reading.pages[0].source if reading.pages else "text"
    return Extraction(document_type, 0.0, dict.fromkeys(fields or ()), (), source)


def classify(
    reading: Reading,  # noqa: ARG001 - the rules that read it come next
    categories: Sequence[str] | None = None,  # noqa: ARG001 - the same
) -> Classification:
    """Which of the categories (of our own, when none are given) this document belongs to."""
    return Classification(None, 0.0, None, None, None)
