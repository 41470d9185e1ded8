"""Every query of what starts runs and what runs wait for, each built from the caller."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Database
from bivelio_server.kit.rows import identity
from bivelio_server.workflows.queries import Runnable
from bivelio_server.workflows.triggers.events import AWAITED, STARTED

_EVENT: Final = """
    select e.id, e.event, e.occurred_at, e.recorded_at, e.data, e.origin, e.depth, o.timezone, o.locale, o.currency,
           exists (
                select from event_subscriptions s
                 where s.org_id = e.org_id and s.environment = e.environment and s.event = e.event
                   and s.kind = %(awaited)s) as is_awaited
      from events e
      join organizations o on o.id = e.org_id
     where e.org_id = %(org_id)s and e.environment = %(environment)s and e.id = %(id)s
"""
# Clocks of servers differ: a workflow that listens since a moment after the event may have been there before it.
_LISTENING: Final = """
    select w.id, w.name, w.status, w.concurrency, w.version, w.steps_count,
           v.definition -> 'trigger' ->> 'if' as condition, v.api_version
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
_HOLD_WAITS: Final = """
    select pg_advisory_xact_lock_shared(
        hashtextextended('workflow_waits:' || %(org_id)s || %(environment)s || %(event)s, 0))
"""
_HOLD_WAITS_ALONE: Final = """
    select pg_advisory_xact_lock(hashtextextended('workflow_waits:' || %(org_id)s || %(environment)s || %(event)s, 0))
"""
_WAIT: Final = """
    select event_id from workflow_event_waits
     where org_id = %(org_id)s and environment = %(environment)s and instance_id = %(instance_id)s and path = %(path)s
"""
_KEEP_WAIT: Final = """
    insert into workflow_event_waits (org_id, environment, instance_id, path, step_id, event, condition, known,
                                      match_field, match_digest, created_at)
    values (%(org_id)s, %(environment)s, %(instance_id)s, %(path)s, %(step_id)s, %(event)s, %(condition)s,
            cast(%(known)s as jsonb), %(match_field)s, %(match_digest)s, %(now)s)
    on conflict (org_id, environment, instance_id, path) do update set event_id = null
"""
_LET_GO: Final = """
    delete from workflow_event_waits
     where org_id = %(org_id)s and environment = %(environment)s and instance_id = %(instance_id)s
       and (%(paths)s::text[] is null or path = any (%(paths)s))
"""
_EVENTS_SINCE: Final = """
    select e.id, e.event, e.occurred_at, e.recorded_at as came_at, e.data
      from workflow_instances i
      join events e on e.org_id = i.org_id and e.environment = i.environment and e.event = %(event)s
                   and e.recorded_at >= coalesce(i.begun_at, i.started_at)
     where i.org_id = %(org_id)s and i.environment = %(environment)s and i.id = %(instance_id)s
       and (%(after_at)s::timestamptz is null or (e.recorded_at, e.id) > (%(after_at)s, %(after_id)s))
     order by e.recorded_at, e.id limit %(limit)s
"""
# From one field to the next, however many waits have the same.
_FIELDS: Final = """
    with recursive fields as (
        (select match_field as field from workflow_event_waits
          where org_id = %(org_id)s and environment = %(environment)s and event = %(event)s and event_id is null
            and match_field is not null
          order by match_field limit 1)
        union all
        select (select w.match_field from workflow_event_waits w
                 where w.org_id = %(org_id)s and w.environment = %(environment)s and w.event = %(event)s
                   and w.event_id is null and w.match_field > f.field
                 order by w.match_field limit 1)
          from fields f where f.field is not null
    )
    select field from fields where field is not null
"""
_WAITING: Final = """
    with found as materialized (
        (select w.instance_id, w.path, w.step_id, w.condition, w.known from workflow_event_waits w
          where w.org_id = %(org_id)s and w.environment = %(environment)s and w.event = %(event)s
            and w.event_id is null and w.match_field is null
            and (w.instance_id, w.path) > (%(after_instance)s, %(after_path)s)
          order by w.instance_id, w.path limit %(limit)s)
         union all
        (select w.instance_id, w.path, w.step_id, w.condition, w.known
           from unnest(%(fields)s::text[], %(digests)s::text[]) as m (field, digest)
          cross join lateral (
            select * from workflow_event_waits w
             where w.org_id = %(org_id)s and w.environment = %(environment)s and w.event = %(event)s
               and w.event_id is null and w.match_field = m.field and w.match_digest = m.digest
               and (w.instance_id, w.path) > (%(after_instance)s, %(after_path)s)
             order by w.instance_id, w.path limit %(limit)s) w
          order by w.instance_id, w.path limit %(limit)s)
    )
    select f.*, i.task_id, i.finished_at is not null as over, coalesce(i.begun_at, i.started_at) > %(came_at)s as later,
           v.api_version
      from found f
      join workflow_instances i on i.org_id = %(org_id)s and i.environment = %(environment)s and i.id = f.instance_id
      join workflow_versions v on v.org_id = i.org_id and v.environment = i.environment
                              and v.workflow_id = i.workflow_id and v.version = i.version
     order by f.instance_id, f.path limit %(limit)s
"""
_GIVE: Final = """
    update workflow_event_waits w set event_id = %(event_id)s
      from unnest(%(instances)s::text[], %(paths)s::text[]) as g (instance_id, path)
     where w.org_id = %(org_id)s and w.environment = %(environment)s and w.instance_id = g.instance_id
       and w.path = g.path and w.event_id is null
"""
_TIMEZONE: Final = "select timezone from organizations where id = %(org_id)s"
_SCHEDULE: Final = """
    select cron, timezone, next_at, task_id from workflow_schedules
     where org_id = %(org_id)s and environment = %(environment)s and workflow_id = %(id)s
"""
_HOLD_SCHEDULE: Final = """
    select cron, timezone, next_at, task_id from workflow_schedules
     where org_id = %(org_id)s and environment = %(environment)s and workflow_id = %(id)s and task_id = %(task_id)s
       for update
"""
_KEEP_SCHEDULE: Final = """
    insert into workflow_schedules (org_id, environment, workflow_id, cron, timezone, follows_organization, next_at,
                                    task_id, created_at)
    values (%(org_id)s, %(environment)s, %(workflow_id)s, %(cron)s, %(timezone)s, %(follows_organization)s,
            %(next_at)s, %(task_id)s, %(now)s)
    on conflict (org_id, environment, workflow_id) do update
        set cron = excluded.cron, timezone = excluded.timezone, follows_organization = excluded.follows_organization,
            next_at = excluded.next_at, task_id = excluded.task_id
"""
_FORGET_SCHEDULE: Final = """
    delete from workflow_schedules
     where org_id = %(org_id)s and environment = %(environment)s and workflow_id = %(id)s
"""
_FOLLOWING: Final = """
    select workflow_id from workflow_schedules
     where org_id = %(org_id)s and environment = %(environment)s and follows_organization order by workflow_id
"""


async def get_event(context: Context, event_id: str) -> Any:
    """Its row, with `is_awaited`: whether workflows have steps that wait for such, and with the conventions of its
    organisation; None when it is gone."""
    rows = await context.session.run(_EVENT, {**identity(context.caller), "id": event_id, "awaited": AWAITED})
    return rows[0] if rows else None


async def listening(
    context: Context, event: Any, *, trigger_key: str, after: str, limit: int
) -> list[tuple[Runnable, str | None, str]]:
    """Active workflows that the event starts and has not started yet, each with its filter and the version of the API
    that it was written for, in the order of their ids and from behind `after`."""
    values = {
        "event": event.event,
        "occurred_at": event.occurred_at,
        "kind": STARTED,
        "trigger_key": trigger_key,
        "after": after,
        "limit": limit,
    }
    rows = await context.session.run(_LISTENING, {**identity(context.caller), **values})
    return [(Runnable(*row[:-2]), row.condition, row.api_version) for row in rows]


async def hold_waits(context: Context, event: str, *, alone: bool = False) -> None:
    """Until the transaction ends, whoever holds them `alone` waits for it, and who does not waits for such a one.

    A run holds them from before it looks what has come until its wait is there for all to see. An event that it did not
    see there comes later than who begins to hold them alone: that one will find the wait.
    """
    statement = _HOLD_WAITS_ALONE if alone else _HOLD_WAITS
    await context.session.run(statement, {**identity(context.caller), "event": event})


async def get_wait(context: Context, instance_id: str, path: str) -> Any:
    """The `event_id` that it was given, if any; None when there is no such wait."""
    rows = await context.session.run(_WAIT, {**identity(context.caller), "instance_id": instance_id, "path": path})
    return rows[0] if rows else None


async def keep_wait(context: Context, wait: Mapping[str, Any]) -> None:
    """Add it, or let it wait anew."""
    await context.session.run(_KEEP_WAIT, {**identity(context.caller), **wait, "now": context.now})


async def let_go(context: Context, instance_id: str, paths: Sequence[str] | None = None) -> None:
    """The run waits no more at these paths, or at any."""
    values = {"instance_id": instance_id, "paths": None if paths is None else list(paths)}
    await context.session.run(_LET_GO, {**identity(context.caller), **values})


async def events_since(context: Context, instance_id: str, event: str, *, after: Any, limit: int) -> list[Any]:
    """Events of that name since the run began, in the order in which they were recorded, from behind `after`."""
    values = {
        "instance_id": instance_id,
        "event": event,
        "after_at": after and after.came_at,
        "after_id": after.id if after else "",
        "limit": limit,
    }
    return await context.session.run(_EVENTS_SINCE, {**identity(context.caller), **values})


async def matched_fields(context: Context, event: str) -> list[str]:
    """The fields by which waits for such an event are found."""
    return [row.field for row in await context.session.run(_FIELDS, {**identity(context.caller), "event": event})]


async def waiting(
    context: Context, event: Any, matches: Collection[tuple[str, str]], *, after: tuple[str, str], limit: int
) -> list[Any]:
    """Waits that the event may end: those that compare with nothing, and those that compare with what it has.

    `matches`: fields, each with a digest of its value. Rows of runs that have ended are `over`, of those that began
    later `later`; `api_version` is the one that their steps were written for.
    """
    values = {
        "event": event.event,
        "came_at": event.recorded_at or event.occurred_at,
        "fields": [field for field, _ in matches],
        "digests": [digest for _, digest in matches],
        "after_instance": after[0],
        "after_path": after[1],
        "limit": limit,
    }
    return await context.session.run(_WAITING, {**identity(context.caller), **values})


async def give(context: Context, event_id: str, waits: Sequence[tuple[str, str]]) -> None:
    """Their event has come, unless another one has before."""
    values = {"event_id": event_id, "instances": [each[0] for each in waits], "paths": [each[1] for each in waits]}
    await context.session.run(_GIVE, {**identity(context.caller), **values})


async def timezone_of_organization(context: Context) -> str:
    [row] = await context.session.run(_TIMEZONE, {"org_id": context.caller.org_id})
    return str(row.timezone)


async def get_schedule(context: Context, workflow_id: str) -> Any:
    """The row of a workflow's next tick; None when it has none."""
    rows = await context.session.run(_SCHEDULE, {**identity(context.caller), "id": workflow_id})
    return rows[0] if rows else None


async def hold_schedule(context: Context, workflow_id: str, task_id: UUID) -> Any:
    """The row if `task_id` is the task of its next tick, while nobody else changes it."""
    values = {"id": workflow_id, "task_id": task_id}
    rows = await context.session.run(_HOLD_SCHEDULE, {**identity(context.caller), **values})
    return rows[0] if rows else None


async def keep_schedule(context: Context, schedule: Mapping[str, Any]) -> None:
    """The next tick of a workflow, in place of the one before."""
    await context.session.run(_KEEP_SCHEDULE, {**identity(context.caller), **schedule, "now": context.now})


async def forget_schedule(context: Context, workflow_id: str) -> None:
    await context.session.run(_FORGET_SCHEDULE, {**identity(context.caller), "id": workflow_id})


async def following_organization(context: Context) -> list[str]:
    """The workflows whose schedule goes by the time zone of their organisation."""
    return [row.workflow_id for row in await context.session.run(_FOLLOWING, identity(context.caller))]


async def to_mend(database: Database, limit: int) -> list[tuple[UUID, str, str]]:
    """Organisation, environment and id of active workflows whose schedule has stopped."""
    rows = await database.call_all("select org_id, environment, workflow_id from schedules_to_mend(%s)", (limit,))
    return [(org_id, environment, workflow_id) for org_id, environment, workflow_id in rows]
