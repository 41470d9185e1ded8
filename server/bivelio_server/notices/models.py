"""The notices table."""

from datetime import datetime
from typing import Any

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import Moment, Object, OrganisationRow


class Notice(OrganisationRow):
    """Something that the owners of an organisation should know. `mailed_at` is null until it was sent on by e-mail."""

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    environment: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    resource_id: Mapped[str | None] = mapped_column(Text)
    text: Mapped[dict[str, str]] = mapped_column(Object)
    details: Mapped[dict[str, Any]] = mapped_column(Object)
    created_at: Mapped[datetime] = mapped_column(Moment)
    read_at: Mapped[datetime | None] = mapped_column(Moment)
    read_by: Mapped[str | None] = mapped_column(Text)
    mailed_at: Mapped[datetime | None] = mapped_column(Moment)
