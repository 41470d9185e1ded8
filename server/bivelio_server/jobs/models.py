"""Jobs, and what was wrong with rows of theirs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.db import Base
from bivelio_server.kit.rows import DERIVED, BusinessRow, Moment, Object, TextArray


class Job(BusinessRow):
    """`params` is what it was asked to do, `cursor` where its next batch begins; `rights` those of its start."""

    __tablename__ = "jobs"

    operation: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    progress: Mapped[float]
    counts: Mapped[dict[str, Any]] = mapped_column(Object)
    result: Mapped[dict[str, Any] | None] = mapped_column(Object)
    error: Mapped[dict[str, Any] | None] = mapped_column(Object)
    params: Mapped[dict[str, Any]] = mapped_column(Object, info=DERIVED)
    cursor: Mapped[dict[str, Any]] = mapped_column(Object, info=DERIVED)
    failures: Mapped[int]
    errors_count: Mapped[int]
    depth: Mapped[int]
    created_by: Mapped[str] = mapped_column(Text)
    on_behalf_of: Mapped[str | None] = mapped_column(Text)
    rights: Mapped[list[str]] = mapped_column(TextArray)
    door: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    task_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(Moment)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class JobError(Base):
    __tablename__ = "job_errors"

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(Text, primary_key=True)
    job_id: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    row: Mapped[int | None]
    field: Mapped[str | None] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    message_es: Mapped[str] = mapped_column(Text)
    message_en: Mapped[str] = mapped_column(Text)
