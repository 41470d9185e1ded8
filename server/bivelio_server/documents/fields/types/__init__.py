"""The types of documents that have declared fields."""

from collections.abc import Mapping
from typing import Final

from bivelio_server.documents.fields.types.invoice import Invoice
from bivelio_server.documents.fields.types.receipt import Receipt
from bivelio_server.documents.fields.types.schema import Schema

TYPES: Final[Mapping[str, type[Schema]]] = {
    "invoice": Invoice,
    "receipt": Receipt,
}
