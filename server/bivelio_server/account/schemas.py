"""What the operations on one's own account take and give."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from bivelio_server.accounts.passwords import NewPassword, Password
from bivelio_server.accounts.roles import Role
from bivelio_server.accounts.schemas import EnvironmentName
from bivelio_server.kit.models import Id, Input, Output

_CODE = Field(max_length=40, examples=["123456"], description="Of the authenticator app, or a recovery code.")


class PasswordChange(Input):
    current_password: Password
    new_password: NewPassword


class SecondFactorBegin(Input):
    password: Password


class SecondFactorConfirm(Input):
    code: str = Field(max_length=40, examples=["123456"])


class SecondFactorProof(Input):
    password: Password
    code: str = _CODE


class SessionReference(Input):
    session_id: Id


class AccountView(Output):
    """The person who is signed in; `role` is theirs in the organisation of this session."""

    model_config = ConfigDict(title="Account")

    user_id: UUID
    email: str
    name: str | None
    organization_id: UUID
    environment: EnvironmentName
    role: Role
    has_password: bool
    second_factor: bool
    second_factor_since: datetime | None
    recovery_codes_left: int
    created_at: datetime


class BegunSecondFactor(Output):
    """Shown this once: `otpauth_uri` is what goes into the QR code, `secret` is for typing."""

    secret: str
    otpauth_uri: str


class RecoveryCodes(Output):
    """Shown this once; each signs in once in place of a code."""

    recovery_codes: list[str]


class SessionView(Output):
    """`address` and `user_agent` are those it was last used from; `current` is the one that asks."""

    model_config = ConfigDict(title="SignInSession")

    id: UUID
    organization_id: UUID
    organization: str
    environment: EnvironmentName
    created_at: datetime
    last_used_at: datetime
    address: str | None
    user_agent: str | None
    current: bool


class SessionList(Output):
    sessions: list[SessionView]


class EndedSessions(Output):
    ended: int


class LeftOrganization(Output):
    organization_id: UUID
