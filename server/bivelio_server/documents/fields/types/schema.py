"""What all declared types of documents have in common."""

import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

Day = datetime.date
#: A number, exact. Its JSON schema says `number`, which is what models of language know.
Number = Annotated[
    Decimal, WithJsonSchema({"type": "number"}), PlainSerializer(lambda value: value, return_type=Decimal)
]


class Group(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(extra="forbid")


class Schema(Group):
    """A type of document. `key_fields` are those whose confidence is that of the whole."""

    key_fields: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        return cls.model_json_schema()


class Person(Group):
    """A company or a person. `nif` is a tax id, Spanish ones without ES."""

    name: str | None = None
    nif: str | None = None
