"""Receipts and simplified invoices, as tills print them."""

from typing import ClassVar

from bivelio_server.documents.fields.types.invoice import LineItem, Tax
from bivelio_server.documents.fields.types.schema import Day, Number, Person, Schema


class Receipt(Schema):
    key_fields: ClassVar = ("date", "total", "issuer")

    receipt_number: str | None = None
    date: Day | None = None
    time: str | None = None
    total: Number | None = None
    currency: str | None = None
    taxes: list[Tax] | None = None
    issuer: Person | None = None
    payment_method: str | None = None
    line_items: list[LineItem] | None = None
