"""Identity cards and passports."""

from typing import ClassVar

from pydantic import Field

from bivelio_server.documents.fields.types.schema import Day, Schema


class IdDocument(Schema):
    key_fields: ClassVar = ("id_number", "surnames", "name", "birth_date", "expiry_date")

    kind: str | None = Field(None, description="dni, nie, passport or id_card.")
    document_number: str | None = Field(None, description="Of the card or the passport.")
    id_number: str | None = Field(None, description="Of the person: DNI or NIE.")
    surnames: str | None = None
    name: str | None = None
    nationality: str | None = Field(None, description="ISO 3166-1 alpha-3.")
    birth_date: Day | None = None
    expiry_date: Day | None = None
    sex: str | None = Field(None, description="M or F.")
