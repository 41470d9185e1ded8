"""What the contact operations take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.contacts.spreadsheets import Delimiter, Encoding
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
from bivelio_server.kit.uploads import Upload

ContactType = Literal["person", "company"]
Order = Literal["-created_at", "created_at", "name", "-name", "-updated_at", "updated_at"]
Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(lambda tags: list(dict.fromkeys(tags)))]


class ContactFilter(Input):
    """`search` looks in name, e-mail, phone and company, whatever the accents and case; `tags` must all be there."""

    search: str | None = Field(None, max_length=200, examples=["Empresa ABC"])
    type: ContactType | None = None
    tags: Tags = Field(default=[])
    company_id: Id | None = None


class ContactFilterWithDeleted(ContactFilter):
    deleted: bool = Field(False, description="The deleted contacts instead, those that `restore` brings back.")


class ContactList(PageInput, ContactFilterWithDeleted):
    """`search` looks in name, e-mail, phone and company, whatever the accents and case; `tags` must all be there."""

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


class ContactImport(Upload):
    """A CSV file of contacts. `mapping` says which column fills which field: by the header's name, or by its number
    from 1. Without it the header is understood if it names fields in Spanish or English.
    """

    format: Literal["csv"] = "csv"
    delimiter: Delimiter | None = Field(None, description="Found out when it is not given.")
    encoding: Encoding | None = Field(None, description="Found out when it is not given.")
    has_header: bool = True
    mapping: dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=120)]] | None = Field(
        None, max_length=500, examples=[{"Nombre": "name", "Correo": "email", "Origen": "custom_fields.source"}]
    )
    match: Literal["email", "phone", "none"] = Field(
        "email", description="What makes a row mean a contact that exists already."
    )
    on_conflict: Literal["update", "skip"] = "update"
    tags: Tags = Field(default=[], description="Added to every contact of the file.")
    dry_run: bool = Field(False, description="Only say what would be done, and what is wrong.")
    events: bool = Field(False, description="Record contact.created and contact.updated for every contact.")


class ContactExport(ContactFilterWithDeleted):
    format: Literal["csv", "json"] = "csv"
    delimiter: Literal[",", ";"] = ","


class ContactSelection(Input):
    """Either `ids` or `filter`."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=10_000)] | None = None
    filter: ContactFilter | None = None


class ContactBulkTag(ContactSelection):
    add: Tags = Field(default=[], examples=[["cliente"]])
    remove: Tags = Field(default=[])
    events: bool = Field(False, description="Record contact.updated for every contact that changes.")


class ContactBulkDelete(ContactSelection):
    pass


class ContactHistory(PageInput):
    id: Id


class FieldChange(Output):
    field: str
    before: Any
    after: Any


class HistoryEntry(Output):
    """`version` is that of the contact after the change (deleting does not raise it); null when it is not known."""

    at: datetime
    operation: str
    actor: str
    on_behalf_of: str | None
    changes: list[FieldChange]
    version: int | None


class HistoryPage(Output):
    entries: list[HistoryEntry]
    pagination: Pagination
