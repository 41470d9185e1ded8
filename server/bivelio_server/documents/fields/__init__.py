"""The declared fields of documents, found by rules and checks: no model, no network, no database."""

from bivelio_server.documents.fields.describing import classify
from bivelio_server.documents.fields.extracting import extract, field_names
from bivelio_server.documents.fields.results import Classification, Extraction, Field
from bivelio_server.documents.fields.types import TYPES

__all__ = ["TYPES", "Classification", "Extraction", "Field", "classify", "extract", "field_names"]
