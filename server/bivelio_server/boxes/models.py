"""The tables of boxes that operations read and write. What is searched is only in `ingestion` and `retrieval`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.db import Base
from bivelio_server.kit.rows import DERIVED, BusinessRow, Moment, Object


class Box(BusinessRow):
    __tablename__ = "boxes"

    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)


class BoxMember(Base):
    """A member of the organisation with a role in the box; whoever has none does not see the box."""

    __tablename__ = "box_members"
    # Who changes it tells the audit log, as a change of the box.
    __audited__ = False

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(Text, primary_key=True)
    box_id: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)


class BoxFile(BusinessRow):
    """A file of a box. `revision` counts its contents; `ready_revision` is the one that is searched, as the segment
    `seq` of the box's index. `document_id` is the document that it was taken from, if it was."""

    __tablename__ = "box_files"

    box_id: Mapped[str] = mapped_column(Text)
    document_id: Mapped[str | None] = mapped_column(Text)
    file_name: Mapped[str] = mapped_column(Text)
    mime_type: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    file: Mapped[dict[str, Any]] = mapped_column(Object, info=DERIVED)
    state: Mapped[str] = mapped_column(Text)
    progress: Mapped[float] = mapped_column(info=DERIVED)
    error: Mapped[dict[str, Any] | None] = mapped_column(Object)
    revision: Mapped[int]
    ready_revision: Mapped[int | None] = mapped_column(info=DERIVED)
    seq: Mapped[int | None] = mapped_column(info=DERIVED)
    page_count: Mapped[int | None]
    chunk_count: Mapped[int | None]
    task_id: Mapped[UUID | None] = mapped_column(info=DERIVED)
    created_by: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    ready_at: Mapped[datetime | None] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
