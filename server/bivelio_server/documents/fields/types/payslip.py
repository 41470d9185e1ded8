"""Payslips."""

from typing import ClassVar

from bivelio_server.documents.fields.types.schema import Day, Group, Number, Person, Schema


class Period(Group):
    start: Day | None = None
    end: Day | None = None


class Payslip(Schema):
    key_fields: ClassVar = ("employee", "employer", "period", "gross", "net")

    employee: Person | None = None
    employer: Person | None = None
    period: Period | None = None
    gross: Number | None = None
    deductions: Number | None = None
    net: Number | None = None
    currency: str | None = None
