"""What the member operations take and give."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from bivelio_server.accounts.roles import Role
from bivelio_server.kit.models import Email, Id, Input, Output, PageInput, Pagination

#: The roles that can be given; the owner's is handed over by `organization.transfer`.
GivenRole = Literal["admin", "editor", "viewer"]
InvitationStatus = Literal["pending", "accepted", "revoked", "expired"]


class MemberList(PageInput):
    pass


class MemberUpdate(Input):
    user_id: Id
    role: GivenRole


class MemberReference(Input):
    user_id: Id


class MemberInvite(Input):
    email: Email = Field(examples=["ana@ejemplo.com"])
    role: GivenRole


class InvitationList(PageInput):
    status: InvitationStatus | None = "pending"


class InvitationReference(Input):
    invitation_id: Id


class MemberView(Output):
    model_config = ConfigDict(title="Member")

    user_id: UUID
    email: str
    name: str | None
    role: Role
    second_factor: bool
    created_at: datetime


class MemberPage(Output):
    members: list[MemberView]
    pagination: Pagination


class InvitationView(Output):
    """`invited_by` is the person behind it, `invited_by_key` the key that sent it, if one did."""

    model_config = ConfigDict(title="Invitation")

    invitation_id: str
    email: str
    role: GivenRole
    status: InvitationStatus
    invited_by: UUID
    invited_by_key: str | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: UUID | None
    revoked_at: datetime | None


class CreatedInvitation(InvitationView):
    """`token` is shown this once, and stands in `link` too. `mailed` says that the link goes out by e-mail; without a
    mail server it does not: hand it to the person invited."""

    model_config = ConfigDict(title="CreatedInvitation")

    token: str
    link: str
    mailed: bool


class InvitationPage(Output):
    invitations: list[InvitationView]
    pagination: Pagination
