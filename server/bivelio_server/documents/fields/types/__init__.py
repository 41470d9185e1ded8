"""The types of documents that have declared fields."""

from collections.abc import Mapping
from typing import Final

from bivelio_server.documents.fields.types.bank_statement import BankStatement
from bivelio_server.documents.fields.types.contract import Contract
from bivelio_server.documents.fields.types.deed import Deed
from bivelio_server.documents.fields.types.id_document import IdDocument
from bivelio_server.documents.fields.types.invoice import Invoice
from bivelio_server.documents.fields.types.payslip import Payslip
from bivelio_server.documents.fields.types.receipt import Receipt
from bivelio_server.documents.fields.types.schema import Schema

TYPES: Final[Mapping[str, type[Schema]]] = {
    "invoice": Invoice,
    "receipt": Receipt,
    "contract": Contract,
    "deed": Deed,
    "id_document": IdDocument,
    "payslip": Payslip,
    "bank_statement": BankStatement,
}
