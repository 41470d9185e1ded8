"""What the operations on deliveries take and give."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from bivelio_server.events.definitions import EventName
from bivelio_server.kit.models import Id, Input, Output, PageInput, Pagination, Timestamp, Words
from bivelio_server.kit.versions import KnownVersion
from bivelio_server.webhooks.schemas import DeliveryStatus


class DeliveryList(PageInput):
    """Times are those of `created_at`: from `created_after`, up to but without `created_before`."""

    webhook_id: Id | None = None
    status: DeliveryStatus | None = None
    event: EventName | None = None
    event_id: Id | None = None
    created_after: Timestamp | None = None
    created_before: Timestamp | None = None


class DeliveryReference(Input):
    delivery_id: Id


class WebhookRecover(Input):
    """Of the deliveries created in this time; `until` is now by default."""

    webhook_id: Id
    since: Timestamp
    until: Timestamp | None = None


class Recovered(Output):
    webhook_id: str
    recovered: int


class AttemptSummary(Output):
    """`outcome` is null while the attempt is under way. `error` names what went wrong, `explanation` says it."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    started_at: datetime
    outcome: Literal["delivered", "failed", "interrupted"] | None
    duration_ms: int | None
    response_status: int | None
    error: str | None
    explanation: Words | None


class Attempt(AttemptSummary):
    """Signatures and what looks like a credential are masked. `response_body` is the first 64 KB as text."""

    url: str | None
    request_headers: dict[str, str] | None
    response_headers: dict[str, str] | None
    response_body: str | None
    response_truncated: bool | None


class Delivery(Output):
    """One message to one endpoint: `delivery_id` is its `webhook-id`. A `pending` one without `next_attempt_at` waits
    for its endpoint to be active."""

    model_config = ConfigDict(title="WebhookDelivery", from_attributes=True)

    delivery_id: str
    webhook_id: str
    kind: Literal["event", "test"]
    event: EventName
    event_id: str | None
    status: DeliveryStatus
    payload_version: KnownVersion
    attempt_count: int
    last_attempt: AttemptSummary | None
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class DeliveryView(Delivery):
    """A delivery with what was sent and its attempts, oldest first, at most the last fifty."""

    model_config = ConfigDict(title="WebhookDeliveryWithAttempts", from_attributes=True)

    request_body: str | None = Field(description="The body of every attempt, as it was frozen when the event happened.")
    attempts: list[Attempt]


class DeliveryPage(Output):
    deliveries: list[Delivery]
    pagination: Pagination
