"""The rows of accounts that operations read and write."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import DERIVED, Moment, OrganisationRow, TextArray


class APIKey(OrganisationRow):
    """`created_by_key` is the key that made it, `rotated_from` the one it follows, `successor_id` the one that follows
    it from `retires_at` on. `expiry_notice_at` is when its end is to be told, `expiry_announced_at` when it was."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    environment: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(TextArray)
    allowed_origins: Mapped[list[str]] = mapped_column(TextArray, default=list)
    api_version: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    prefix: Mapped[str] = mapped_column(Text)
    last4: Mapped[str] = mapped_column(Text)
    created_by: Mapped[UUID]
    created_by_key: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    expiry_notice_at: Mapped[datetime | None] = mapped_column(Moment, info=DERIVED)
    expiry_announced_at: Mapped[datetime | None] = mapped_column(Moment, info=DERIVED)
    rotated_from: Mapped[str | None] = mapped_column(Text)
    successor_id: Mapped[str | None] = mapped_column(Text)
    retires_at: Mapped[datetime | None] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment, info=DERIVED)
    last_used_address: Mapped[str | None] = mapped_column(Text, info=DERIVED)
    version: Mapped[int] = mapped_column(default=1)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
