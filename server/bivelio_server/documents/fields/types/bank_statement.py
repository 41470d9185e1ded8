"""Statements of bank accounts."""

from typing import ClassVar

from pydantic import Field

from bivelio_server.documents.fields.types.payslip import Period
from bivelio_server.documents.fields.types.schema import Day, Group, Number, Schema


class Movement(Group):
    date: Day | None = None
    description: str | None = None
    amount: Number | None = Field(None, description="Negative where money left the account.")
    balance: Number | None = Field(None, description="After it.")


class BankStatement(Schema):
    key_fields: ClassVar = ("iban", "period", "opening_balance", "closing_balance", "movements")

    iban: str | None = None
    period: Period | None = None
    opening_balance: Number | None = None
    closing_balance: Number | None = None
    currency: str | None = None
    movements: list[Movement] | None = None
