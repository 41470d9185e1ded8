"""What the contact operations take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.kit.models import (
    Email,
    FreeObject,
    Id,
    Input,
    Name,
    Output,
    PageInput,
    Pagination,
    Phone,
    Tag,
)

ContactType = Literal["person", "company"]
Order = Literal["-created_at", "created_at", "name", "-name", "-updated_at", "updated_at"]
Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(lambda tags: list(dict.fromkeys(tags)))]


class ContactList(PageInput):
    """`search` looks in name, e-mail, phone and company, whatever the accents and case; `tags` must all be there."""

    search: str | None = Field(None, max_length=200, examples=["Empresa ABC"])
    type: ContactType | None = None
    tags: Tags = Field(default=[])
    company_id: Id | None = None
    deleted: bool = Field(False, description="List the deleted contacts instead, those that `restore` brings back.")
    sort: Order = "-created_at"


class ContactReference(Input):
    id: Id


class ContactCreate(Input):
    type: ContactType = "person"
    name: Name = Field(examples=["Maria Garcia"])
    email: Email | None = None
    phone: Phone | None = Field(None, examples=["+34 600 111 222"])
    company_id: Id | None = None
    tags: Tags = Field(default=[])
    custom_fields: FreeObject = Field(default={})


class ContactUpdate(Input):
    """Only given fields change. `custom_fields` merges: a `null` removes that field."""

    id: Id
    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    company_id: Id | None = None
    tags: Tags | None = None
    custom_fields: FreeObject | None = None
    if_version: int | None = Field(None, ge=1, description="Refuse (409) when the contact is not at this version.")


class Contact(Output):
    """`phone` is kept as given, `phone_e164` is the number it means; `version` grows with every change."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    type: ContactType
    name: str
    email: str | None
    phone: str | None
    phone_e164: str | None
    company_id: str | None
    tags: list[str]
    custom_fields: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Duplicate(Output):
    """Another contact with the same e-mail or phone."""

    id: str
    name: str
    matches: list[Literal["email", "phone"]]


class SavedContact(Contact):
    """A contact just written, with those that are probably the same one."""

    possible_duplicates: list[Duplicate]


class ContactPage(Output):
    contacts: list[Contact]
    pagination: Pagination
