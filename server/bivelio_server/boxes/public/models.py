"""The keys of the public API, and when each was used last."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.db import Base
from bivelio_server.kit.rows import BusinessRow, Moment


class BoxKey(BusinessRow):
    """`created_by_key` is the API key that made it, with which it ends."""

    __tablename__ = "box_keys"

    name: Mapped[str] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    user_id: Mapped[UUID]
    created_by_key: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class BoxKeyWindow(Base):
    """Written by admission only."""

    __tablename__ = "box_key_windows"

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(Text, primary_key=True)
    key_id: Mapped[str] = mapped_column(Text, primary_key=True)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)
