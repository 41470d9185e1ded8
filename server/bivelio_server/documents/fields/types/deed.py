"""Deeds: what is signed before a notary."""

from typing import ClassVar

from bivelio_server.documents.fields.types.schema import Day, Person, Schema


class Deed(Schema):
    key_fields: ClassVar = ("notary", "protocol_number", "date", "parties")

    notary: str | None = None
    protocol_number: str | None = None
    date: Day | None = None
    place: str | None = None
    parties: list[Person] | None = None
