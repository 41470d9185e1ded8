"""What the notice operations take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import Id, Input, Output, PageInput, Pagination, Words

Kind = Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=60, examples=["webhook.disabled"])]


class NoticeList(PageInput):
    unread: bool | None = Field(None, description="Only those that nobody has read (true), or only the others (false).")
    kind: Kind | None = None


class NoticeReference(Input):
    id: Id


class NoticeView(Output):
    """Something that happened and that somebody should look after. `resource_id` is what it is about; whoever reads
    it reads it for all, `read_by` tells who."""

    model_config = ConfigDict(title="Notice", from_attributes=True)

    id: str
    environment: Literal["live", "sandbox"]
    kind: str
    resource_id: str | None
    text: Words
    details: dict[str, Any]
    created_at: datetime
    read_at: datetime | None
    read_by: str | None


class NoticePage(Output):
    notices: list[NoticeView]
    pagination: Pagination
