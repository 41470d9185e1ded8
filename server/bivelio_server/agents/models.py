"""The rows of agents."""

from datetime import datetime
from typing import Any

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import DERIVED, BusinessRow, Moment, Object, Written


class Agent(BusinessRow):
    """An agent of the organisation's own, or one that is built in and was changed: then its id is the fixed slug."""

    __tablename__ = "agents"

    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(Text)
    instructions: Mapped[str] = mapped_column(Text)
    output_schema: Mapped[dict[str, Any] | None] = mapped_column(Written)
    labels: Mapped[list[dict[str, Any]]] = mapped_column(Written)
    tools: Mapped[list[dict[str, Any]]] = mapped_column(Written)
    limits: Mapped[dict[str, Any]] = mapped_column(Written)
    version: Mapped[int]
    created_by: Mapped[str] = mapped_column(Text, info=DERIVED)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)


class Execution(BusinessRow):
    """One invocation, with its trace: a history of its own, which the audit log need not repeat."""

    __tablename__ = "agent_executions"
    __audited__ = False

    agent_id: Mapped[str] = mapped_column(Text)
    agent_name: Mapped[str] = mapped_column(Text)
    agent_version: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    input: Mapped[dict[str, Any]] = mapped_column(Object)
    output: Mapped[Any] = mapped_column(Object)
    error: Mapped[dict[str, Any] | None] = mapped_column(Object)
    trace: Mapped[list[dict[str, Any]]] = mapped_column(Object)
    engine: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(Text)
    usage: Mapped[dict[str, int]] = mapped_column(Object)
    tokens_used: Mapped[int]
    credits_consumed: Mapped[int]
    duration_ms: Mapped[int]
    invoked_by: Mapped[str] = mapped_column(Text)
    on_behalf_of: Mapped[str | None] = mapped_column(Text)
    door: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    cause: Mapped[str | None] = mapped_column(Text)
    depth: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(Moment)
    completed_at: Mapped[datetime | None] = mapped_column(Moment)


class Approval(BusinessRow):
    """What an execution wants to do and may not do by itself. `done_at`: since when it is done, or given up."""

    __tablename__ = "agent_approvals"

    execution_id: Mapped[str] = mapped_column(Text)
    agent_id: Mapped[str] = mapped_column(Text)
    agent_name: Mapped[str] = mapped_column(Text)
    operation: Mapped[str] = mapped_column(Text)
    arguments: Mapped[dict[str, Any]] = mapped_column(Object)
    status: Mapped[str] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    comment: Mapped[str | None] = mapped_column(Text)
    result: Mapped[Any] = mapped_column(Object, info=DERIVED)
    error: Mapped[dict[str, Any] | None] = mapped_column(Object)
    done_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
