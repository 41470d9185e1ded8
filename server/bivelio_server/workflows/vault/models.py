"""The rows of secrets."""

from datetime import datetime

from sqlalchemy import LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import BusinessRow, Moment


class WorkflowSecret(BusinessRow):
    """A value that expressions name as `secrets.<name>`, encrypted, bound to this row."""

    __tablename__ = "workflow_secrets"

    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    sealed_value: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
