"""What the organisation's operations take and give."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from bivelio_server.accounts.roles import Plan, Role
from bivelio_server.accounts.sessions import Tokens
from bivelio_server.kit.models import Id, Input, Name, Output
from bivelio_server.kit.text import Language
from bivelio_server.organization.settings import Count, CurrencyCode, Days, Timezone


class RetentionUpdate(Input):
    """What is given changes; the others stay."""

    events_days: Days = None
    deliveries_days: Days = None
    requests_days: Days = None
    audit_days: Days = None
    runs_days: Days = None
    runs_kept: Count = None


class OrganizationUpdate(Input):
    name: Name | None = None
    timezone: Timezone | None = None
    locale: Language | None = None
    currency: CurrencyCode | None = None
    retention: RetentionUpdate | None = None
    if_version: int | None = None


class OrganizationCreate(Input):
    name: Name = Field(examples=["Gestoría Peña"])


class OrganizationReference(Input):
    organization_id: Id


class OwnershipTransfer(Input):
    user_id: Id


class OrganizationDelete(Input):
    """`confirm_name` is the organisation's name, letter by letter."""

    confirm_name: str = Field(max_length=200)


class RetentionView(Output):
    model_config = ConfigDict(from_attributes=True)

    events_days: int | None
    deliveries_days: int | None
    requests_days: int | None
    audit_days: int | None
    runs_days: int | None
    runs_kept: int | None


class OrganizationView(Output):
    model_config = ConfigDict(title="Organization", from_attributes=True)

    id: UUID
    name: str
    plan: Plan
    timezone: str
    locale: Language
    currency: str
    retention: RetentionView
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class SettingsSchema(Output):
    """`json_schema` describes what `organization.update` takes, with the defaults of a new organisation."""

    json_schema: dict[str, Any]


class Membership(Output):
    """An organisation that one belongs to; `current` is the one of this session."""

    id: UUID
    name: str
    plan: Plan
    role: Role
    current: bool
    created_at: datetime


class Memberships(Output):
    organizations: list[Membership]


class SwitchedSession(Tokens):
    organization_id: UUID


class Transferred(Output):
    owner_id: UUID
    former_owner_id: UUID
