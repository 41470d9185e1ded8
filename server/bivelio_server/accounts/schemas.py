"""What the key operations take and give."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.accounts.roles import KeyType
from bivelio_server.kit.models import Id, Input, Name, Output, PageInput, Pagination

EnvironmentName = Literal["live", "sandbox"]
ScopeName = Annotated[str, Field(pattern=r"^([a-z_]+:)?(read|write|admin)$", max_length=60)]


class KeyCreate(Input):
    """`environment` is the caller's own by default; a sandbox credential makes sandbox keys only."""

    name: Name = Field(examples=["Integración ERP"])
    type: KeyType = "secret"
    environment: EnvironmentName | None = None
    scopes: Annotated[list[ScopeName], AfterValidator(lambda scopes: list(dict.fromkeys(scopes)))] = Field(
        default=["read"], min_length=1, max_length=50
    )


class KeyList(PageInput):
    pass


class KeyReference(Input):
    id: Id


class APIKeyView(Output):
    """`created_by` is the person behind it, `created_by_key` the key that made it, if one did."""

    model_config = ConfigDict(title="APIKey", from_attributes=True)

    id: str
    name: str
    type: KeyType
    environment: EnvironmentName
    scopes: list[str]
    prefix: str
    last4: str
    created_by: UUID
    created_by_key: str | None
    created_at: datetime
    revoked_at: datetime | None


class CreatedAPIKey(APIKeyView):
    """`key` is shown this once; only its digest is kept."""

    model_config = ConfigDict(title="CreatedAPIKey", from_attributes=True)

    key: str


class KeyPage(Output):
    keys: list[APIKeyView]
    pagination: Pagination
