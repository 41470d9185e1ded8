"""What the simulated providers keep."""

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import BusinessRow, Moment


class SimulatedMessage(BusinessRow):
    """A message that no provider has sent; `key` is the idempotency key that it was to be sent with."""

    __tablename__ = "simulated_messages"

    channel: Mapped[str] = mapped_column(Text)
    recipient: Mapped[str] = mapped_column(Text)
    recipient_name: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
