"""The rows of hooks."""

from datetime import datetime

from sqlalchemy import LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import DERIVED, BusinessRow, Moment


class WorkflowHook(BusinessRow):
    """The URL of a workflow, by its id; it stays the same whatever becomes of the trigger. Secrets are encrypted, bound
    to this row; the previous one counts until `previous_until`. There is none before the first was asked for."""

    __tablename__ = "workflow_hooks"

    workflow_id: Mapped[str] = mapped_column(Text)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_until: Mapped[datetime | None] = mapped_column(Moment)
    rotated_at: Mapped[datetime | None] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment, info=DERIVED)
    created_at: Mapped[datetime] = mapped_column(Moment)
