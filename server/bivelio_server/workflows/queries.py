"""Every query on workflows and their instances, each built from the caller."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, select
from sqlalchemy.orm import defer

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.models import PageInput
from bivelio_server.kit.rows import business, count_of, identity, only, page_of
from bivelio_server.kit.search import search_words
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.models import Instance, StepRecord, Workflow, WorkflowVersion
from bivelio_server.workflows.schemas import InstanceFilter, InstanceList, InstanceProgress, WorkflowList
from bivelio_server.workflows.versions import parse_definition

_TO_RUN: Final = """
    select v.definition, w.id, w.name, w.status, w.concurrency, w.version, w.steps_count
      from workflows w
      join workflow_versions v on v.org_id = w.org_id and v.environment = w.environment
                              and v.workflow_id = w.id and v.version = w.version
     where w.org_id = %(org_id)s and w.environment = %(environment)s and w.id = %(id)s and w.deleted_at is null
"""
_INSTANCE: Final = """
    select i.*, w.name as workflow_name
      from workflow_instances i
      join workflows w on w.org_id = i.org_id and w.environment = i.environment and w.id = i.workflow_id
     where i.org_id = %(org_id)s and i.environment = %(environment)s and i.id = %(id)s
"""
_HOLD_TURN: Final = """
    select pg_advisory_xact_lock(hashtextextended('workflow_turn:' || %(org_id)s || %(environment)s || %(id)s, 0))
"""
_NEXT_IN_LINE: Final = """
    select i.id
      from workflows w
      join workflow_instances i on i.org_id = w.org_id and i.environment = w.environment and i.workflow_id = w.id
     where w.org_id = %(org_id)s and w.environment = %(environment)s and w.id = %(id)s
       and i.queued_at is not null and i.finished_at is null
       and (w.concurrency = 'many' or not exists (
            select from workflow_instances r
             where r.org_id = w.org_id and r.environment = w.environment and r.workflow_id = w.id
               and r.finished_at is null and r.queued_at is null))
     order by i.queued_at, i.id
     limit (select case concurrency when 'many' then %(limit)s else 1 end from workflows
             where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s)
       for update of i
"""
_LEAVE_LINE: Final = """
    update workflow_instances
       set queued_at = null, task_id = %(task_id)s, begun_at = clock_timestamp(), updated_at = %(now)s,
           started_at = case when rounds = 0 then %(now)s else started_at end
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s
"""


_PROGRESS: Final = """
    select id as instance_id, status, current_step, total_steps, updated_at, finished_at from workflow_instances
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s
"""
_MARKS: Final = """
    select path, status, attempts, finished_at, retry_at from workflow_steps
     where org_id = %(org_id)s and environment = %(environment)s and instance_id = %(id)s and superseded_in = 0
"""


class Runnable(NamedTuple):
    """What starting a run needs to know of a workflow."""

    id: str
    name: str
    status: str
    concurrency: str
    version: int
    steps_count: int


async def get(context: Context, workflow_id: str, *, field: str = "id", lock: bool = False) -> Workflow:
    """Raises NotFound, naming the input `field`."""
    query = _locked(_present(context)) if lock else _present(context)
    return await only(context.session, query, workflow_id, field=field)


async def present_among(context: Context, workflow_ids: Iterable[str]) -> set[str]:
    """Those of these ids that are workflows."""
    ids = [workflow_id for workflow_id in workflow_ids if is_well_formed(workflow_id)]
    query = _present(context).where(Workflow.id.in_(ids))
    return set(await context.session.scalars(query.with_only_columns(Workflow.id)))


async def require_known(context: Context, workflow_id: str, *, field: str = "workflow_id") -> None:
    """Whether there is such a workflow, or was. Raises NotFound."""
    await get_any(context, workflow_id, field=field)


async def get_any(context: Context, workflow_id: str, *, field: str = "workflow_id") -> Workflow:
    """A workflow, deleted or not. Raises NotFound."""
    return await only(context.session, business(Workflow, context.caller), workflow_id, field=field)


async def get_deleted(context: Context, workflow_id: str, *, since: datetime) -> Workflow:
    """A workflow deleted after `since`, locked. Raises NotFound."""
    return await only(context.session, _deleted(context, since=since).with_for_update(), workflow_id)


async def get_to_run(context: Context, workflow_id: str) -> tuple[Runnable, Definition]:
    """A workflow and the definition that a new run takes. Raises NotFound."""
    if not is_well_formed(workflow_id):
        raise NotFound("workflow_id")
    rows = await context.session.run(_TO_RUN, {**identity(context.caller), "id": workflow_id})
    if not rows:
        raise NotFound("workflow_id")
    [(stored, *fields)] = rows
    workflow = Runnable(*fields)
    key = (context.caller.org_id, context.caller.environment.value, workflow.id, workflow.version)
    return workflow, parse_definition(*key, stored)


async def get_version(context: Context, workflow: Workflow) -> WorkflowVersion:
    """The newest version, the one that new runs take."""
    return await context.session.get_one(
        WorkflowVersion, (workflow.org_id, workflow.environment, workflow.id, workflow.version)
    )


async def find_version(context: Context, workflow: Workflow, number: int, *, field: str = "version") -> WorkflowVersion:
    """One version of the workflow. Raises NotFound, naming the input `field`."""
    version = await context.session.get(
        WorkflowVersion, (workflow.org_id, workflow.environment, workflow.id, number), populate_existing=True
    )
    if version is None:
        raise NotFound(field)
    return version


async def list_versions(context: Context, workflow: Workflow, data: PageInput) -> tuple[list[WorkflowVersion], int]:
    """One page of the workflow's versions without their definitions, newest first, and how many there are in all."""
    query = select(WorkflowVersion).where(
        WorkflowVersion.org_id == workflow.org_id,
        WorkflowVersion.environment == workflow.environment,
        WorkflowVersion.workflow_id == workflow.id,
    )
    light = query.options(defer(WorkflowVersion.definition, raiseload=True))
    return await page_of(context.session, light.order_by(WorkflowVersion.version.desc()), data)


async def list_workflows(
    context: Context, data: WorkflowList, *, deleted_after: datetime
) -> tuple[list[Workflow], int]:
    """One page of workflows, and how many there are in all; deleted ones if still restorable."""
    query = _deleted(context, since=deleted_after) if data.deleted else _present(context)
    if data.status is not None:
        query = query.where(Workflow.status == data.status)
    if data.trigger_type is not None:
        query = query.where(Workflow.trigger_type == data.trigger_type)
    for word in search_words(data.search):
        query = query.where(_words().like(f"%{word}%"))
    return await page_of(context.session, query.order_by(Workflow.created_at.desc(), Workflow.id.desc()), data)


async def hold_turn(context: Context, workflow_id: str) -> None:
    """Until the transaction ends nobody else gets to see whether the workflow is free.

    It is no row's lock: who holds it waits for no run, so whoever ends or cancels one need not fear it.
    """
    await context.session.run(_HOLD_TURN, {**identity(context.caller), "id": workflow_id})


async def has_unfinished(context: Context, workflow_id: str) -> bool:
    unfinished = business(Instance, context.caller).where(
        Instance.workflow_id == workflow_id, Instance.finished_at.is_(None)
    )
    return bool(await context.session.scalar(select(exists(unfinished))))


async def has_queued(context: Context, workflow_id: str) -> bool:
    queued = business(Instance, context.caller).where(
        Instance.workflow_id == workflow_id, Instance.queued_at.is_not(None), Instance.finished_at.is_(None)
    )
    return bool(await context.session.scalar(select(exists(queued))))


async def next_in_line(context: Context, workflow_id: str, *, limit: int) -> list[str]:
    """The instances whose turn it is: all where runs do not wait for one another, otherwise the first, if none goes
    on. Asked by who holds the turn."""
    rows = await context.session.run(_NEXT_IN_LINE, {**identity(context.caller), "id": workflow_id, "limit": limit})
    return [row.id for row in rows]


async def leave_line(context: Context, instance_id: str, task_id: UUID) -> None:
    """The instance begins now, as this task."""
    values = {"id": instance_id, "task_id": task_id, "now": context.now}
    await context.session.run(_LEAVE_LINE, {**identity(context.caller), **values})


async def get_triggered(context: Context, workflow_id: str, trigger_key: str) -> Instance:
    """What came of a trigger."""
    query = business(Instance, context.caller).where(
        Instance.workflow_id == workflow_id, Instance.trigger_key == trigger_key
    )
    return (await context.session.scalars(query)).one()


async def get_instance(context: Context, instance_id: str) -> Any:
    """An instance's row, with its `workflow_name`. Raises NotFound."""
    if not is_well_formed(instance_id):
        raise NotFound("instance_id")
    rows = await context.session.run(_INSTANCE, {**identity(context.caller), "id": instance_id})
    if not rows:
        raise NotFound("instance_id")
    return rows[0]


async def get_progress(context: Context, instance_id: str) -> InstanceProgress:
    """How far an instance has come. Raises NotFound."""
    rows = []
    if is_well_formed(instance_id):
        rows = await context.session.run(_PROGRESS, {**identity(context.caller), "id": instance_id})
    if not rows:
        raise NotFound("instance_id")
    return InstanceProgress.model_validate(rows[0]._asdict())


async def list_instances(context: Context, data: InstanceList) -> tuple[list[tuple[Instance, str]], int]:
    """A page of instances, each with its workflow's name. Raises NotFound; a deleted workflow still has its runs."""
    await require_named(context, data)
    newest = _named(context).where(*_conditions(data)).order_by(Instance.started_at.desc(), Instance.id.desc())
    page = newest.limit(data.per_page).offset(data.offset)
    rows = [(row[0], row[1]) for row in await context.session.execute(page)]
    return rows, await count_instances(context, data)


async def require_named(context: Context, data: InstanceFilter, *, within: str = "") -> None:
    """Raises NotFound when what the filter names does not exist."""
    if data.workflow_id is not None:
        await require_known(context, data.workflow_id, field=f"{within}workflow_id")
    if data.parent_id is not None:
        await only(context.session, business(Instance, context.caller), data.parent_id, field=f"{within}parent_id")


async def count_instances(context: Context, data: InstanceFilter) -> int:
    return await count_of(context.session, business(Instance, context.caller).where(*_conditions(data)))


async def get_instance_locked(context: Context, instance_id: str) -> Instance:
    """As it is now, kept so until the transaction ends. Raises NotFound."""
    query = business(Instance, context.caller).with_for_update().execution_options(populate_existing=True)
    return await only(context.session, query, instance_id, field="instance_id")


async def get_instances_locked(context: Context, instance_ids: Sequence[str]) -> dict[str, Instance]:
    """Those of these that there are, by id, as they are now, kept so until the transaction ends."""
    query = business(Instance, context.caller).where(Instance.id.in_(instance_ids)).order_by(Instance.id)
    locked = query.with_for_update().execution_options(populate_existing=True)
    return {instance.id: instance for instance in await context.session.scalars(locked)}


async def step_marks(context: Context, instance_id: str) -> dict[str, Any]:
    """For each step, by its path, something that is another thing once it has changed."""
    rows = await context.session.run(_MARKS, {**identity(context.caller), "id": instance_id})
    return {row.path: tuple(row) for row in rows}


async def list_steps(context: Context, instance_id: str, paths: Sequence[str] | None = None) -> list[StepRecord]:
    """Some or all, in the order in which they began."""
    query = _steps(context, instance_id).where(StepRecord.superseded_in == 0)
    if paths is not None:
        query = query.where(StepRecord.path.in_(paths))
    return list(await context.session.scalars(query.order_by(StepRecord.position, StepRecord.path)))


async def list_past_steps(context: Context, instance_id: str) -> list[StepRecord]:
    """What retries have replaced, the earliest first."""
    query = _steps(context, instance_id).where(StepRecord.superseded_in > 0)
    order = (StepRecord.superseded_in, StepRecord.position, StepRecord.path)
    return list(await context.session.scalars(query.order_by(*order)))


def _steps(context: Context, instance_id: str) -> Select[StepRecord]:
    return select(StepRecord).where(
        StepRecord.org_id == context.caller.org_id,
        StepRecord.environment == context.caller.environment.value,
        StepRecord.instance_id == instance_id,
    )


def _conditions(data: InstanceFilter) -> Iterator[ColumnElement[bool]]:
    if data.workflow_id is not None:
        yield Instance.workflow_id == data.workflow_id
    if data.statuses is not None:
        yield Instance.status.in_(data.statuses)
    if data.started_after is not None:
        yield Instance.started_at > data.started_after
    if data.started_before is not None:
        yield Instance.started_at < data.started_before
    if data.parent_id is not None:
        yield Instance.parent_id == data.parent_id


def _words() -> ColumnElement[str]:
    """Name and description as search compares them; an organisation has few enough workflows to look at each."""
    text = func.concat(Workflow.name, " ", Workflow.description)
    return func.translate(func.lower(text), "áàâäãéèêëíìîïóòôöõúùûüñç", "aaaaaeeeeiiiiooooouuuunc")


async def get_step(context: Context, instance_id: str, path: str) -> StepRecord:
    """What the step at that path did last. Raises NotFound."""
    step = await context.session.get(
        StepRecord, (context.caller.org_id, context.caller.environment.value, instance_id, path, 0)
    )
    if step is None:
        raise NotFound("path")
    return step


def _present(context: Context) -> Select[Workflow]:
    return business(Workflow, context.caller).where(Workflow.deleted_at.is_(None))


def _deleted(context: Context, *, since: datetime) -> Select[Workflow]:
    return business(Workflow, context.caller).where(Workflow.deleted_at > since)


def _locked(query: Select[Workflow]) -> Select[Workflow]:
    """Locked, and as it is once others are done with it."""
    return query.with_for_update().execution_options(populate_existing=True)


def _named(context: Context) -> Select[Any]:
    same = and_(
        Workflow.org_id == Instance.org_id,
        Workflow.environment == Instance.environment,
        Workflow.id == Instance.workflow_id,
    )
    return business(Instance, context.caller).join(Workflow, same).add_columns(Workflow.name)
