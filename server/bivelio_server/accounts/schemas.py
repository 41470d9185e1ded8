"""What the key operations take and give."""

from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.accounts.roles import KeyType
from bivelio_server.kit.models import Id, Input, Name, Output, PageInput, Pagination, Timestamp

MAX_GRACE_SECONDS: Final = 7 * 24 * 3600

EnvironmentName = Literal["live", "sandbox"]
ScopeName = Annotated[str, Field(pattern=r"^([a-z_]+:)?(read|write|admin)$", max_length=60)]
Scopes = Annotated[
    list[ScopeName],
    Field(min_length=1, max_length=50),
    AfterValidator(lambda scopes: list(dict.fromkeys(scopes))),
]
Origins = Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=50)]
_ORIGINS: Final = (
    "The web origins that may use a publishable key from a browser, such as `https://app.example.com`;"
    " `http` for localhost only."
)


class KeyCreate(Input):
    """`environment` is the caller's own by default; a sandbox credential makes sandbox keys only.

    What a key makes ends with it at the latest: without `expires_at`, when the key itself does.
    """

    name: Name = Field(examples=["Integración ERP"])
    type: KeyType = "secret"
    environment: EnvironmentName | None = None
    scopes: Scopes = Field(default=["read"])
    expires_at: Timestamp | None = Field(None, description="When it stops working; never, by default.")
    allowed_origins: Origins = Field(default=[], description=_ORIGINS)


class KeyList(PageInput):
    pass


class KeyReference(Input):
    id: Id


class KeyUpdate(Input):
    """Only given fields change; `expires_at: null` lets the key never expire. Who asks must have the key's scopes."""

    id: Id
    name: Name | None = None
    scopes: Scopes | None = None
    expires_at: Timestamp | None = None
    allowed_origins: Origins | None = Field(None, description=_ORIGINS)
    if_version: int | None = Field(None, ge=1, description="Refuse (409) when the key is not at this version.")


class KeyRotate(Input):
    """While the grace lasts both keys work; then the old one is dead. Zero kills it at once."""

    id: Id
    grace_seconds: int = Field(24 * 3600, ge=0, le=MAX_GRACE_SECONDS)


class KeyUsageRead(Input):
    """Days are the organisation's; the last of them is today."""

    id: Id
    days: int = Field(30, ge=1, le=90)


class KeyRotation(Output):
    """That a key was rotated. `successor_id` is null when its successor is gone with the person who made it."""

    successor_id: str | None
    retires_at: datetime
    seconds_left: int


class APIKeyView(Output):
    """`created_by` is the person behind it, `created_by_key` the key that made it, if one did.

    `api_version` is the version of the API it was made for. The last use is written with a delay of some seconds.
    """

    model_config = ConfigDict(title="APIKey")

    id: str
    name: str
    type: KeyType
    environment: EnvironmentName
    scopes: list[str]
    allowed_origins: list[str]
    api_version: str
    prefix: str
    last4: str
    created_by: UUID
    created_by_key: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str | None
    rotation: KeyRotation | None
    rotated_from: str | None
    version: int
    revoked_at: datetime | None


class CreatedAPIKey(APIKeyView):
    """`key` is shown this once; only its digest is kept."""

    model_config = ConfigDict(title="CreatedAPIKey")

    key: str


class RotatedAPIKey(CreatedAPIKey):
    """The successor; `previous` is the key that it follows, with what is left of its time."""

    model_config = ConfigDict(title="RotatedAPIKey")

    previous: APIKeyView


class KeyPage(Output):
    keys: list[APIKeyView]
    pagination: Pagination


class KeyUsageRow(Output):
    """`errors` are replies from 400 on but for the refusals of a limit, which `refused` counts."""

    day: date
    operation: str
    requests: int
    errors: int
    refused: int


class KeyCaller(Output):
    """Who would notice if the key stopped working."""

    address: str | None
    user_agent: str | None
    requests: int
    last_seen_at: datetime


class KeyUsage(Output):
    """`usage` is newest first, `recent_callers` those of the last 24 hours, at most 50, the latest first."""

    id: str
    requests: int
    errors: int
    refused: int
    usage: list[KeyUsageRow]
    recent_callers: list[KeyCaller]
