"""What steering runs asks of the database, each statement built from the caller; whole sets of runs in one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from bivelio_server.kit import json
from bivelio_server.kit.context import Context
from bivelio_server.kit.rows import identity
from bivelio_server.workflows.control.again import Again, Taken
from bivelio_server.workflows.schemas import InstanceFilter

#: So many runs are looked at in one statement.
_LOOKED_AT: Final = 5000
#: Beyond the lease: a stopped worker's session is ended after that, see durable.enter.
_SPARE_SECONDS: Final = 5
_BE_PATIENT: Final = "select set_config('lock_timeout', %(longest)s, true)"
_TASKS: Final = """
    select task_id from workflow_instances
     where org_id = %(org_id)s and environment = %(environment)s and id = any (%(ids)s) and finished_at is null
       and task_id is not null
"""
# A run that was retried since, or queued and begun, has another task than those cancelled before: it is left alone.
_CANCEL: Final = """
    with open as materialized (
        select id, status from workflow_instances
         where org_id = %(org_id)s and environment = %(environment)s and id = any (%(ids)s) and finished_at is null
           and (task_id is null or task_id = any (%(tasks)s))
         order by id for update
    ), runs as (
        update workflow_instances i
           set status = 'cancelled', error = cast(%(error)s as jsonb), finished_at = %(now)s, updated_at = %(now)s,
               paused_at = null
          from open o
         where i.org_id = %(org_id)s and i.environment = %(environment)s and i.id = o.id
        returning i.id, i.workflow_id, o.status, i.parent_id, i.parent_path
    ), steps as (
        update workflow_steps s set status = 'cancelled', finished_at = %(now)s, retry_at = null
          from runs r
         where s.org_id = %(org_id)s and s.environment = %(environment)s and s.instance_id = r.id
           and s.superseded_in = 0 and s.status in ('running', 'waiting')
        returning s.instance_id, s.path, s.uses
    ), by_run as (
        select instance_id, jsonb_agg(jsonb_build_array(path, uses)) as steps from steps group by instance_id
    )
    select r.id, r.workflow_id, w.concurrency = 'queue' as takes_turns, r.status, r.parent_id, r.parent_path,
           coalesce(b.steps, '[]') as steps
      from runs r
      join workflows w on w.org_id = %(org_id)s and w.environment = %(environment)s and w.id = r.workflow_id
      left join by_run b on b.instance_id = r.id
     order by r.id
"""
_CHILDREN: Final = """
    select c.id from workflow_instances c
      join jsonb_to_recordset(cast(%(steps)s as jsonb)) as s(instance_id text, path text)
        on c.parent_id = s.instance_id and c.parent_path = s.path
     where c.org_id = %(org_id)s and c.environment = %(environment)s and c.finished_at is null
     order by c.id limit %(limit)s
"""
# Of a run that is over: those that a step of it waited for, though not those of a later round.
_LEFT_CHILDREN: Final = """
    select c.id from workflow_instances c
     where c.org_id = %(org_id)s and c.environment = %(environment)s and c.parent_id = %(id)s and c.finished_at is null
       and exists (
        select from workflow_steps s
         where s.org_id = c.org_id and s.environment = c.environment and s.instance_id = c.parent_id
           and s.path = c.parent_path and s.status in ('cancelled', 'failed') and s.finished_at >= c.started_at)
     order by c.id limit %(limit)s
"""
_OUTCOME: Final = """
    select id, status, output, output_ref, error, finished_at from workflow_instances
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s
"""
_WAITING_PARENT: Final = """
    select instance_id from workflow_steps
     where org_id = %(org_id)s and environment = %(environment)s and instance_id = %(id)s and path = %(path)s
       and superseded_in = 0 and status in ('running', 'waiting')
"""
_TASK: Final = """
    select task_id from workflow_instances
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s and finished_at is null
"""


_HOLD_WAITS: Final = """
    select pg_advisory_xact_lock(hashtextextended('workflow_waits:' || %(org_id)s || %(environment)s, 0))
"""
# Who waits for its turn waits for those that have it; whoever else waits, for the runs that its steps have started.
_WAITS_FOR: Final = """
    with recursive awaited as (
        select cast(%(id)s as text) as id
        union
        select next.id
          from awaited a
          join workflow_instances i on i.org_id = %(org_id)s and i.environment = %(environment)s and i.id = a.id
          cross join lateral (
            select r.id from workflow_instances r
             where i.queued_at is not null and r.org_id = i.org_id and r.environment = i.environment
               and r.workflow_id = i.workflow_id and r.finished_at is null and r.queued_at is null
            union all
            select c.id from workflow_instances c
              join workflow_steps s on s.org_id = c.org_id and s.environment = c.environment
                                   and s.instance_id = c.parent_id and s.path = c.parent_path
                                   and s.superseded_in = 0 and s.status in ('running', 'waiting')
             where c.org_id = i.org_id and c.environment = i.environment and c.parent_id = i.id
               and c.finished_at is null
          ) next
         where i.finished_at is null
    )
    select id from awaited where id = %(other)s
"""


# What was prepared for a step may be large: only what a plan needs to know of it.
_TAKEN: Final = """
    select instance_id, path, uses, status,
           case when uses in ('if', 'switch') then coalesce(prepared -> 'branch', output -> 'branch') end as branch,
           case when uses = 'for_each' then jsonb_array_length(prepared -> 'items') end as items,
           case when uses = 'while' then cast(prepared -> 'begun' as int) end as begun
      from workflow_steps
     where org_id = %(org_id)s and environment = %(environment)s and instance_id = any (%(ids)s) and superseded_in = 0
"""
_REPLACE: Final = """
    update workflow_steps s
       set superseded_in = r.round, prepared = null, prepared_ref = null, retry_at = null
      from unnest(cast(%(ids)s as text[]), cast(%(paths)s as text[]), cast(%(rounds)s as int[])) as r(id, path, round)
     where s.org_id = %(org_id)s and s.environment = %(environment)s and s.instance_id = r.id and s.path = r.path
       and s.superseded_in = 0
"""
_REOPEN: Final = """
    update workflow_steps s
       set status = 'running', output = null, output_ref = null, error = null, finished_at = null, retry_at = null,
           prepared = case when r.keeps then s.prepared else r.prepared end,
           prepared_ref = case when r.keeps then s.prepared_ref end
      from jsonb_to_recordset(cast(%(steps)s as jsonb)) as r(id text, path text, keeps boolean, prepared jsonb)
     where s.org_id = %(org_id)s and s.environment = %(environment)s and s.instance_id = r.id
       and s.superseded_in = 0 and s.path = r.path
"""


_EXISTING: Final = """
    select id from workflow_instances
     where org_id = %(org_id)s and environment = %(environment)s and id = any (%(ids)s)
"""
# A page of all runs is looked at, so that few among very many do not take long to find.
_MATCHING: Final = """
    with page as materialized (
        select id, status = any (%(statuses)s)
                   and (%(workflow_id)s::text is null or workflow_id = %(workflow_id)s)
                   and (%(parent_id)s::text is null or parent_id = %(parent_id)s)
                   and (%(started_after)s::timestamptz is null or started_at > %(started_after)s)
                   and (%(started_before)s::timestamptz is null or started_at < %(started_before)s) as matches
          from workflow_instances
         where org_id = %(org_id)s and environment = %(environment)s and id > %(after)s
         order by id limit %(looked_at)s
    ), found as materialized (
        select id from page where matches order by id limit %(limit)s
    )
    select array(select id from found order by id) as ids,
           case when (select count(*) from found) = %(limit)s then (select max(id) from found)
                when (select count(*) from page) = %(looked_at)s then (select max(id) from page) end as last
"""


class CancelledRun(NamedTuple):
    """A run that was just cancelled: what it showed before, and its steps that were open, as path and kind. If its
    workflow `takes_turns`, somebody else has one now."""

    id: str
    workflow_id: str
    takes_turns: bool
    status: str
    parent_id: str | None
    parent_path: str | None
    steps: list[tuple[str, str]]


async def be_patient(context: Context) -> None:
    """Wait as long as it takes for a run whose worker has stopped in the middle of a transaction to be free."""
    seconds = context.services.settings.lease_seconds + _SPARE_SECONDS
    await context.session.run(_BE_PATIENT, {"longest": f"{seconds}s"})


async def tasks_of(context: Context, instance_ids: Sequence[str]) -> list[UUID]:
    """The durable tasks of those that have not ended."""
    return [row.task_id for row in await _run(context, _TASKS, ids=list(instance_ids))]


async def cancel(
    context: Context, instance_ids: Sequence[str], tasks: Sequence[UUID], error: dict[str, Any]
) -> list[CancelledRun]:
    """End those that have not ended and whose `tasks` are cancelled, and their open steps."""
    values = {"ids": list(instance_ids), "tasks": list(tasks), "error": _json(error), "now": context.now}
    rows = await _run(context, _CANCEL, **values)
    return [CancelledRun(**{**row._asdict(), "steps": [(path, uses) for path, uses in row.steps]}) for row in rows]


async def children(context: Context, steps: Iterable[tuple[str, str]], limit: int) -> list[str]:
    """The runs that have not ended of those that these steps, run and path, have started."""
    named = [{"instance_id": instance_id, "path": path} for instance_id, path in steps]
    return [row.id for row in await _run(context, _CHILDREN, steps=_json(named), limit=limit)] if named else []


async def left_children(context: Context, instance_id: str, limit: int) -> list[str]:
    """The runs that have not ended, though what waited for them has."""
    return [row.id for row in await _run(context, _LEFT_CHILDREN, id=instance_id, limit=limit)]


async def outcome(context: Context, instance_id: str) -> Any:
    """How a run stands; None when it is gone."""
    rows = await _run(context, _OUTCOME, id=instance_id)
    return rows[0] if rows else None


async def is_waited_for(context: Context, parent_id: str, parent_path: str) -> bool:
    """Whether the step that started a run waits for its end."""
    return bool(await _run(context, _WAITING_PARENT, id=parent_id, path=parent_path))


async def taken(context: Context, instance_ids: Sequence[str]) -> Mapping[str, list[Taken]]:
    """What each of these runs has taken of its tree, without what was replaced."""
    found: defaultdict[str, list[Taken]] = defaultdict(list)
    for instance_id, *step in await _run(context, _TAKEN, ids=list(instance_ids)):
        found[instance_id].append(Taken(*step))
    return found


async def do_again(context: Context, rounds: Mapping[str, tuple[int, Again]]) -> None:
    """Let the next retry of each of these runs, which has this number, begin so."""
    replaced = [(id_, path, number) for id_, (number, do) in rounds.items() for path in do.replaced]
    if replaced:
        ids, paths, numbers = map(list, zip(*replaced, strict=True))
        await _run(context, _REPLACE, ids=ids, paths=paths, rounds=numbers)
    reopened = [{"id": id_, **step._asdict()} for id_, (_, do) in rounds.items() for step in do.reopened]
    if reopened:
        await _run(context, _REOPEN, steps=_json(reopened))


async def existing(context: Context, instance_ids: Sequence[str]) -> set[str]:
    return {row.id for row in await _run(context, _EXISTING, ids=list(instance_ids))}


async def matching(context: Context, data: InstanceFilter, *, after: str, limit: int) -> tuple[list[str], str | None]:
    """The next ids of what the filter finds, `limit` at most, and the id up to which it has looked: None at the end."""
    values = data.model_dump(exclude={"status"})
    [row] = await _run(
        context, _MATCHING, **values, statuses=data.statuses, after=after, limit=limit, looked_at=_LOOKED_AT
    )
    return row.ids, row.last


async def waits_for(context: Context, instance_id: str, other_id: str) -> bool:
    """Whether a run that waits for its turn would wait for the other one, however indirectly. Nobody else begins to
    wait until the transaction ends."""
    await _run(context, _HOLD_WAITS)
    return bool(await _run(context, _WAITS_FOR, id=instance_id, other=other_id))


async def task_of(context: Context, instance_id: str) -> UUID | None:
    """The durable task of a run that has not ended."""
    rows = await _run(context, _TASK, id=instance_id)
    return rows[0].task_id if rows else None


async def _run(context: Context, statement: str, **values: Any) -> list[Any]:
    return await context.session.run(statement, {**identity(context.caller), **values})


def _json(value: object) -> str:
    return json.dumps(value).decode()
