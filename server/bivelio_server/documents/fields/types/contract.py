"""Contracts of all kinds."""

from typing import ClassVar

from pydantic import Field

from bivelio_server.documents.fields.types.schema import Day, Number, Person, Schema


class Contract(Schema):
    key_fields: ClassVar = ("parties", "date")

    parties: list[Person] | None = None
    date: Day | None = Field(None, description="Of the signature.")
    duration: str | None = Field(None, description="ISO 8601: P12M is twelve months.")
    amount: Number | None = None
    currency: str | None = Field(None, description="ISO 4217.")
    signature_place: str | None = None
