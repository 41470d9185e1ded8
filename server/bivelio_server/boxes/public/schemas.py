"""What the operations on keys and units take and give."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import Id, Input, Name, Output, PageInput, Pagination, Timestamp


class BoxKeyCreate(Input):
    """A key of the caller's own, or of the person behind an API key: it then ends with that key."""

    name: Name = Field(examples=["Buscador de la intranet"])
    expires_at: Timestamp | None = Field(None, description="When it stops working; never, by default.")


class BoxKeyList(PageInput):
    """One's own keys; with the scope `admin` those of everybody in the organisation."""


class BoxKeyReference(Input):
    id: Id


class BoxKeyView(Output):
    """`prefix` is how it begins. `active` tells whether it works now: it is not revoked or expired, nor is the API key
    that made it (`created_by_key`)."""

    model_config = ConfigDict(title="BoxKey", from_attributes=True)

    id: str
    name: str
    prefix: str
    user_id: UUID
    created_by_key: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    active: bool


class CreatedBoxKey(BoxKeyView):
    """`key` is shown this once; only its digest is kept."""

    model_config = ConfigDict(title="CreatedBoxKey")

    key: str


class BoxKeyPage(Output):
    keys: list[BoxKeyView]
    pagination: Pagination


class BoxUsage(Output):
    """Intelligence units of a month, as `2026-04`, in the organisation's time zone. A search costs one; in the sandbox
    they are counted and not deducted."""

    month: str
    allowance: int
    used: int
    remaining: int
    resets_at: datetime
