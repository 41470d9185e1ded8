"""Queueing an event's deliveries in the transaction that causes it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from bivelio_server.events.definitions import RecordedEvent
from bivelio_server.kit.context import Context
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity

#: The kind of subscriber that endpoints are.
KIND: Final = "webhook"
TOPIC: Final = "webhooks"

_QUEUE: Final = text("""
    insert into webhook_deliveries
        (org_id, environment, id, webhook_id, event_id, event, kind, status, payload_version, attempts, failures,
         next_attempt_at, created_at)
    select e.org_id, e.environment, q.id, e.id, :event_id, :event, 'event', 'pending', e.payload_version, 0, 0,
           :now, :now
      from unnest(:ids, :webhook_ids) as q (id, webhook_id)
      join webhook_endpoints e on e.org_id = :org_id and e.environment = :environment and e.id = q.webhook_id
     where e.status = 'active' and e.deleted_at is null
""").bindparams(bindparam("ids", type_=ARRAY(Text)), bindparam("webhook_ids", type_=ARRAY(Text)))


async def queue_deliveries(context: Context, event: RecordedEvent, webhook_ids: Sequence[str]) -> None:
    """One delivery of the event to each endpoint."""
    await context.session.execute(
        _QUEUE,
        {
            **identity(context.caller),
            "event_id": event.id,
            "event": event.name,
            "now": context.now,
            "ids": [new_id("del") for _ in webhook_ids],
            "webhook_ids": list(webhook_ids),
        },
    )
    context.wake(TOPIC)
