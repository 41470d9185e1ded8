"""The rows of approvals."""

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import DERIVED, BusinessRow, Moment, TextArray


class Approval(BusinessRow):
    """A decision that a run waits for at `path`, the place of its step. `told_at`: when its approvers were mailed."""

    __tablename__ = "workflow_approvals"

    instance_id: Mapped[str] = mapped_column(Text)
    workflow_id: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    approver_roles: Mapped[list[str]] = mapped_column(TextArray)
    approver_users: Mapped[list[str]] = mapped_column(TextArray)
    deadline: Mapped[datetime | None] = mapped_column(Moment)
    default_decision: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    comment: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    told_at: Mapped[datetime | None] = mapped_column(Moment, info=DERIVED)
