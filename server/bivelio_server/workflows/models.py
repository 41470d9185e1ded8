"""The rows of workflows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.db import Base
from bivelio_server.kit.rows import DERIVED, BusinessRow, Moment, Object, TextArray, Written


class Workflow(BusinessRow):
    __tablename__ = "workflows"

    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    trigger_type: Mapped[str] = mapped_column(Text)
    concurrency: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    steps_count: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)


class WorkflowVersion(Base):
    """All that a save settled, and who saved it and why; runs act with `activated_rights`, those of who activated it.

    `api_version` is the version of the API that the steps were written for; `restored_from` the version that this one
    brought back.
    """

    __tablename__ = "workflow_versions"

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(Text, primary_key=True)
    workflow_id: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    concurrency: Mapped[str] = mapped_column(Text)
    definition: Mapped[dict[str, Any]] = mapped_column(Written)
    api_version: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    restored_from: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    activated_by: Mapped[str | None] = mapped_column(Text)
    activated_rights: Mapped[list[str]] = mapped_column(TextArray)


class Instance(BusinessRow):
    """A run of one version of a workflow. `rounds` counts its retries; the step at `parent_path` of the run
    `parent_id` started it. Large values are files: see `outputs.py`."""

    __tablename__ = "workflow_instances"

    workflow_id: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    current_step: Mapped[int]
    total_steps: Mapped[int]
    input: Mapped[dict[str, Any] | None] = mapped_column(Object, info=DERIVED)
    input_ref: Mapped[dict[str, Any] | None] = mapped_column(Object, info=DERIVED)
    output: Mapped[Any] = mapped_column(Object, info=DERIVED)
    output_ref: Mapped[dict[str, Any] | None] = mapped_column(Object, info=DERIVED)
    error: Mapped[dict[str, Any] | None] = mapped_column(Object, info=DERIVED)
    depth: Mapped[int]
    started_by: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str | None] = mapped_column(Text)
    trigger_type: Mapped[str] = mapped_column(Text)
    trigger_key: Mapped[str | None] = mapped_column(Text)
    parent_id: Mapped[str | None] = mapped_column(Text)
    parent_path: Mapped[str | None] = mapped_column(Text)
    queued_at: Mapped[datetime | None] = mapped_column(Moment)
    task_id: Mapped[UUID | None] = mapped_column(info=DERIVED)
    started_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    paused_at: Mapped[datetime | None] = mapped_column(Moment)
    rounds: Mapped[int]
    retried_at: Mapped[datetime | None] = mapped_column(Moment)
    rerun_of: Mapped[str | None] = mapped_column(Text)


class StepRecord(Base):
    """What one step of an instance did; a completed one is never done again, unless a retry of the run replaced it:
    then `superseded_in` says which, otherwise it is 0."""

    __tablename__ = "workflow_steps"

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(Text, primary_key=True)
    instance_id: Mapped[str] = mapped_column(Text, primary_key=True)
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    superseded_in: Mapped[int] = mapped_column(primary_key=True)
    step_id: Mapped[str] = mapped_column(Text)
    position: Mapped[int]
    uses: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    input: Mapped[Any] = mapped_column(Object)
    input_ref: Mapped[dict[str, Any] | None] = mapped_column(Object)
    output: Mapped[Any] = mapped_column(Object)
    output_ref: Mapped[dict[str, Any] | None] = mapped_column(Object)
    error: Mapped[dict[str, Any] | None] = mapped_column(Object)
    started_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    retry_at: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def input_truncated(self) -> bool:
        return self.input_ref is not None

    @property
    def output_truncated(self) -> bool:
        return self.output_ref is not None

    @property
    def duration_ms(self) -> int | None:
        if self.finished_at is None:
            return None
        return max(0, round((self.finished_at - self.started_at).total_seconds() * 1000))
