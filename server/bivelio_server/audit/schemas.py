"""What the audit operations take and give."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import Output, PageInput, Pagination, Timestamp
from bivelio_server.kit.origin import Door

_Word = Annotated[str, Field(min_length=1, max_length=200)]


class AuditList(PageInput):
    """All that is given must hold. `actor` also finds what a workflow did on somebody's behalf."""

    operation: _Word | None = Field(None, examples=["contacts.update"])
    actor: _Word | None = Field(None, examples=["key:key_01j9"])
    door: Door | None = Field(None, strict=False)
    resource_type: _Word | None = Field(None, examples=["contacts"])
    resource_id: _Word | None = Field(None, description="Also of resources that are gone.")
    request_id: _Word | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None


class AuditEntryView(Output):
    """`before` and `after` hold what changed, secrets masked; one of them is null when the resource is new or gone.

    `door` is where the call came in, `cause` what made it happen (`run:<instance id>` for a workflow step).
    """

    model_config = ConfigDict(title="AuditEntry", from_attributes=True)

    id: str
    at: datetime
    operation: str
    actor: str
    on_behalf_of: str | None
    door: str
    cause: str | None
    request_id: str | None
    address: str | None
    resource_type: str | None
    resource_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditPage(Output):
    entries: list[AuditEntryView]
    pagination: Pagination
