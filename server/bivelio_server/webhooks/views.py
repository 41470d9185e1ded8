"""Endpoints, deliveries and attempts as their owner sees them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.context import Context, EventDescription
from bivelio_server.kit.models import Words
from bivelio_server.kit.versions import VERSIONS
from bivelio_server.webhooks import queries
from bivelio_server.webhooks.delivery_schemas import Attempt, AttemptSummary, Delivery, DeliveryView
from bivelio_server.webhooks.diagnoses import diagnosis
from bivelio_server.webhooks.messages import render_body
from bivelio_server.webhooks.models import WebhookDelivery, WebhookEndpoint
from bivelio_server.webhooks.queries import Record
from bivelio_server.webhooks.schemas import EventView, Rotation, Webhook

MAX_ATTEMPTS_SHOWN: Final = 50
_SAMPLE_TIME: Final = datetime(2026, 4, 7, 12, 10, tzinfo=UTC)
_SAMPLE_ENDPOINT: Final = "wh_abc123"


async def show(context: Context, row: WebhookEndpoint) -> Webhook:
    return endpoint_view(row, (await queries.records(context, [row.id]))[row.id], context.now)


def endpoint_view(row: WebhookEndpoint, record: Record, now: datetime) -> Webhook:
    return Webhook.model_validate(
        {
            "webhook_id": row.id,
            "url": row.url,
            "events": row.events,
            "status": row.status,
            "description": row.description,
            "last_triggered_at": record.last_triggered_at,
            "success_rate": record.success_rate,
            "disabled_at": row.disabled_at,
            "disabled_reason": row.disabled_reason,
            "disable_policy": row.disable_policy,
            "failing_since": row.failing_since,
            "payload_version": row.payload_version,
            "rotation": _rotation(row, now),
            "version": row.version,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "deleted_at": row.deleted_at,
        }
    )


async def show_deliveries(context: Context, rows: Sequence[WebhookDelivery]) -> list[Delivery]:
    last = await queries.last_attempts(context, rows)
    return [Delivery.model_validate(_delivery(row, last.get(row.id))) for row in rows]


async def show_delivery(context: Context, row: WebhookDelivery) -> DeliveryView:
    """The delivery with what was sent and every attempt."""
    attempts = await queries.attempts(context, row.id, limit=MAX_ATTEMPTS_SHOWN)
    return DeliveryView.model_validate(
        {
            **_delivery(row, attempts[-1] if attempts else None),
            "request_body": await _request_body(context, row),
            "attempts": [Attempt.model_validate({**one._asdict(), "explanation": _explained(one)}) for one in attempts],
        }
    )


def event_view(event: EventDescription) -> EventView:
    sample = render_body(event.name, _SAMPLE_TIME, _SAMPLE_ENDPOINT, event.sample.model_dump())
    return EventView.model_validate(
        {
            "event": event.name,
            "summary": event.summary._asdict(),
            "payload_version": VERSIONS.newest,
            "data_schema": event.data.model_json_schema(mode="serialization"),
            "sample": json.loads(sample),
        }
    )


def _rotation(row: WebhookEndpoint, now: datetime) -> Rotation | None:
    if row.previous_until is None or row.previous_until <= now:
        return None
    return Rotation(ends_at=row.previous_until, seconds_left=round((row.previous_until - now).total_seconds()))


def _delivery(row: WebhookDelivery, last: Any) -> dict[str, Any]:
    return {
        "delivery_id": row.id,
        "webhook_id": row.webhook_id,
        "kind": row.kind,
        "event": row.event,
        "event_id": row.event_id,
        "status": row.status,
        "payload_version": row.payload_version,
        "attempt_count": row.attempts,
        "last_attempt": None if last is None else _summary(last),
        "next_attempt_at": row.next_attempt_at,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    }


def _summary(attempt: Any) -> AttemptSummary:
    return AttemptSummary.model_validate({**attempt._asdict(), "explanation": _explained(attempt)})


def _explained(attempt: Any) -> Words | None:
    text = diagnosis(attempt.outcome, attempt.error, attempt.response_status)
    return None if text is None else Words.model_validate(text)


async def _request_body(context: Context, row: WebhookDelivery) -> str | None:
    if row.event_id is None:
        return row.body
    event = await queries.event_of(context, row)
    data = context.services.catalogue.versions.event_data(row.payload_version, row.event, event.data)
    return render_body(row.event, event.occurred_at, row.webhook_id, data).decode()
