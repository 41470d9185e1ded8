"""Invoices, bills and credit notes."""

from typing import ClassVar

from pydantic import Field

from bivelio_server.documents.fields.types.schema import Day, Group, Number, Person, Schema


class LineItem(Group):
    """`unit_price` as printed, `total` with taxes."""

    description: str | None = None
    quantity: Number | None = None
    unit_price: Number | None = None
    tax_rate: Number | None = Field(None, description="Percent.")
    total: Number | None = Field(None, description="With taxes.")


class Tax(Group):
    rate: Number | None = Field(None, description="Percent.")
    base: Number | None = None
    amount: Number | None = None


class Invoice(Schema):
    key_fields: ClassVar = ("invoice_number", "date", "total", "issuer", "recipient")

    invoice_number: str | None = None
    date: Day | None = None
    due_date: Day | None = None
    total: Number | None = Field(None, description="What is to be paid: bases + taxes (+ surcharge) − retention.")
    currency: str | None = Field(None, description="ISO 4217.")
    subtotal: Number | None = Field(None, description="Before taxes.")
    taxes: list[Tax] | None = None
    withholding: Number | None = Field(None, description="What is retained (IRPF), a positive amount.")
    surcharge: Number | None = Field(None, description="Recargo de equivalencia.")
    issuer: Person | None = None
    recipient: Person | None = None
    iban: str | None = None
    line_items: list[LineItem] | None = None
