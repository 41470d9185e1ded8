"""The contacts table."""

from datetime import datetime
from typing import Any

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import DERIVED, BusinessRow, Moment, Object, TextArray


class Contact(BusinessRow):
    """A person or a company. `email_key` is the e-mail as compared; the `_search` columns are folded text."""

    __tablename__ = "contacts"

    type: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    email_key: Mapped[str | None] = mapped_column(Text, info=DERIVED)
    phone: Mapped[str | None] = mapped_column(Text)
    phone_e164: Mapped[str | None] = mapped_column(Text)
    company_id: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(TextArray)
    custom_fields: Mapped[dict[str, Any]] = mapped_column(Object)
    own_search: Mapped[str] = mapped_column(Text, info=DERIVED)
    company_search: Mapped[str] = mapped_column(Text, info=DERIVED)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
