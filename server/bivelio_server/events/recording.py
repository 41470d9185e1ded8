"""Recording an event in the transaction that causes it, and calling those who listen."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from bivelio_server.events.definitions import EventDefinition, RecordedEvent
from bivelio_server.events.models import EventSubscription
from bivelio_server.kit import json, tracing
from bivelio_server.kit.context import Context, Reaction
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Output
from bivelio_server.kit.rows import identity

_RECORD: Final = """
    with recorded as (
        insert into events (org_id, environment, id, event, occurred_at, data, origin, depth,
                            traceparent)
        values (%(org_id)s, %(environment)s, %(id)s, %(event)s, %(occurred_at)s, cast(%(data)s as jsonb), %(origin)s,
                %(depth)s, %(traceparent)s)
    )
    select kind, subscriber_id from event_subscriptions
     where org_id = %(org_id)s and environment = %(environment)s and event = %(event)s
       and kind <> all (%(some)s::text[])
     union all
    select k.kind, null from unnest(%(some)s::text[]) as k (kind)
     where exists (
        select from event_subscriptions s
         where s.org_id = %(org_id)s and s.environment = %(environment)s and s.event = %(event)s and s.kind = k.kind)
     order by 1, 2
"""
_FORGET: Final = text("""
    delete from event_subscriptions
     where org_id = :org_id and environment = :environment and kind = :kind and subscriber_id = :subscriber_id
       and event <> all (:but)
""").bindparams(bindparam("but", type_=ARRAY(Text)))


async def record(context: Context, definition: EventDefinition, data: Output) -> RecordedEvent:
    """The event, frozen as it is now; deliveries and triggered runs are queued in the same transaction."""
    event = RecordedEvent(new_id("evt"), definition.name, context.now, data.model_dump(), context.cause.depth)
    rows = await context.session.run(
        _RECORD,
        {
            **identity(context.caller),
            "id": event.id,
            "event": event.name,
            "occurred_at": event.occurred_at,
            "data": json.dumps(event.data).decode(),
            "origin": context.cause.origin,
            "depth": event.depth,
            "traceparent": tracing.traceparent(),
            "some": [kind for kind, reaction in context.services.reactions.items() if reaction.some],
        },
    )
    listeners: dict[Reaction, list[str]] = defaultdict(list)
    for kind, subscriber_id in rows:
        of_kind = listeners[context.services.reactions[kind]]
        if subscriber_id is not None:
            of_kind.append(subscriber_id)
    for reaction, subscriber_ids in listeners.items():
        await reaction.react(context, event, subscriber_ids)
    return event


async def subscribe(context: Context, kind: str, subscriber_id: str, events: Sequence[str]) -> None:
    """Let `subscriber_id` react to exactly these events from now on."""
    whose = {**identity(context.caller), "kind": kind, "subscriber_id": subscriber_id}
    await context.session.execute(_FORGET, {**whose, "but": list(events)})
    await subscribe_besides(context, kind, subscriber_id, events)


async def subscribe_besides(context: Context, kind: str, subscriber_id: str, events: Iterable[str]) -> None:
    """Let `subscriber_id` react to these events too."""
    row = {**identity(context.caller), "kind": kind, "subscriber_id": subscriber_id, "created_at": context.now}
    rows = [{**row, "event": event} for event in dict.fromkeys(events)]
    if rows:
        await context.session.execute(insert(EventSubscription).values(rows).on_conflict_do_nothing())


async def unsubscribe(session: AsyncSession, *, org_id: UUID, environment: str, kind: str, subscriber_id: str) -> None:
    """Let `subscriber_id` react to nothing any more."""
    whose = {"org_id": org_id, "environment": environment, "kind": kind, "subscriber_id": subscriber_id}
    await session.execute(_FORGET, {**whose, "but": []})
