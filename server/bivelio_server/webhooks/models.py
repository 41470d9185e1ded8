"""Endpoints and deliveries. What the delivering side writes, attempts above all, it writes in batches: `ledger.py`."""

from datetime import datetime

from sqlalchemy import LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import DERIVED, BusinessRow, Moment, TextArray


class WebhookEndpoint(BusinessRow):
    """Where an organisation wants its events sent. Secrets are encrypted, bound to this row; the previous ones, sealed
    as the present ones were, still sign until `previous_until`."""

    __tablename__ = "webhook_endpoints"

    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(TextArray)
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    signing_secret: Mapped[bytes] = mapped_column(LargeBinary)
    standard_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_signing_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_standard_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_until: Mapped[datetime | None] = mapped_column(Moment)
    disable_policy: Mapped[str] = mapped_column(Text)
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    payload_version: Mapped[str] = mapped_column(Text)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)


class WebhookDelivery(BusinessRow):
    """One message to one endpoint. `failures` counts since it was last queued, `attempts` ever; a test has a `body`."""

    __tablename__ = "webhook_deliveries"

    webhook_id: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str | None] = mapped_column(Text)
    event: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    payload_version: Mapped[str] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text, info=DERIVED)
    attempts: Mapped[int]
    failures: Mapped[int]
    next_attempt_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
