"""Every query of what starts runs and what runs wait for, each built from the caller."""

from typing import Any, Final

from bivelio_server.kit.context import Context
from bivelio_server.kit.rows import identity
from bivelio_server.workflows.queries import Runnable
from bivelio_server.workflows.triggers.events import AWAITED, STARTED

_EVENT: Final = """
    select e.id, e.event, e.occurred_at, e.recorded_at, e.data, e.origin, e.depth,
           exists (
                select from event_subscriptions s
                 where s.org_id = e.org_id and s.environment = e.environment and s.event = e.event
                   and s.kind = %(awaited)s) as is_awaited
      from events e
     where e.org_id = %(org_id)s and e.environment = %(environment)s and e.id = %(id)s
"""
# Clocks of servers differ: a workflow that listens since a moment after the event may have been there before it.
_LISTENING: Final = """
    select w.id, w.name, w.status, w.concurrency, w.version, w.steps_count,
           v.definition -> 'trigger' ->> 'if' as condition
      from event_subscriptions s
      join workflows w on w.org_id = s.org_id and w.environment = s.environment and w.id = s.subscriber_id
      join workflow_versions v on v.org_id = w.org_id and v.environment = w.environment
                              and v.workflow_id = w.id and v.version = w.version
     where s.org_id = %(org_id)s and s.environment = %(environment)s and s.event = %(event)s and s.kind = %(kind)s
       and s.subscriber_id > %(after)s and s.created_at < %(occurred_at)s + interval '1 minute'
       and w.status = 'active' and w.deleted_at is null
       and not exists (
            select from workflow_instances i
             where i.org_id = w.org_id and i.environment = w.environment and i.workflow_id = w.id
               and i.trigger_key = %(trigger_key)s)
     order by s.subscriber_id limit %(limit)s
"""


async def get_event(context: Context, event_id: str) -> Any:
    """Its row, with `is_awaited`: whether workflows have steps that wait for such; None when it is gone."""
    rows = await context.session.run(_EVENT, {**identity(context.caller), "id": event_id, "awaited": AWAITED})
    return rows[0] if rows else None


async def listening(
    context: Context, event: Any, *, trigger_key: str, after: str, limit: int
) -> list[tuple[Runnable, str | None]]:
    """Active workflows that the event starts and has not started yet, each with its filter, in the order of their ids
    and from behind `after`."""
    values = {
        "event": event.event,
        "occurred_at": event.occurred_at,
        "kind": STARTED,
        "trigger_key": trigger_key,
        "after": after,
        "limit": limit,
    }
    rows = await context.session.run(_LISTENING, {**identity(context.caller), **values})
    return [(Runnable(*row[:-1]), row.condition) for row in rows]
