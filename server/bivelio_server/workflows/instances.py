"""Starting a run: the instance and its durable task, in the transaction that asks for it."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter

from bivelio_server.durable import cancel, spawn
from bivelio_server.events.recording import record
from bivelio_server.kit import json
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Cause, Context
from bivelio_server.kit.errors import AlreadyRunning, APIError, Conflict
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import DEFAULT_LANGUAGE, Text
from bivelio_server.kit.watches import Key
from bivelio_server.workflows import queries
from bivelio_server.workflows.events import FAILED
from bivelio_server.workflows.models import Instance, Workflow
from bivelio_server.workflows.outputs import columns
from bivelio_server.workflows.queries import Runnable
from bivelio_server.workflows.schemas import FinishedInstance, TriggerType

TASK: Final = "workflows.run"
ADMIT_TASK: Final = "workflows.admit"
#: Runs among what clients watch.
WATCHED: Final = "workflow_instances"
MAX_DEPTH: Final = 8
ENDED: Final = Counter("bivelio_workflow_instances_ended_total", "Workflow runs that ended, by status.", ["status"])
#: Tells a workflow that is reached through the network how many causes lie behind the request.
DEPTH_HEADER: Final = "bivelio-cause-depth"
#: Nobody waits for the answer when these ask for a run: what it was refused for is kept as a run.
_UNATTENDED: Final = frozenset({"event", "cron", "webhook"})

# Written directly: the row is not changed through this session, and starting a run must be cheap.
_INSERT: Final = """
    insert into workflow_instances (org_id, environment, id, workflow_id, version, status, current_step, total_steps,
                                    input, input_ref, error, depth, started_by, event_id, trigger_type, trigger_key,
                                    parent_id, parent_path, rerun_of, queued_at, task_id, started_at, updated_at,
                                    finished_at)
    values (%(org_id)s, %(environment)s, %(id)s, %(workflow_id)s, %(version)s, %(status)s, 1, %(total_steps)s,
            cast(%(input)s as jsonb), cast(%(input_ref)s as jsonb), cast(%(error)s as jsonb), %(depth)s,
            %(started_by)s, %(event_id)s, %(trigger_type)s, %(trigger_key)s, %(parent_id)s, %(parent_path)s,
            %(rerun_of)s, %(queued_at)s, %(task_id)s, %(now)s, %(now)s, %(finished_at)s)
    on conflict (org_id, environment, workflow_id, trigger_key) where trigger_key is not null do nothing
    returning id
"""


async def start(
    context: Context,
    workflow: Workflow | Runnable,
    input_: dict[str, Any],
    *,
    awaited: bool = False,
    event_id: str | None = None,
    trigger_type: TriggerType = "manual",
    trigger_key: str | None = None,
    parent: tuple[str, str] | None = None,
    rerun_of: str | None = None,
) -> Instance:
    """A new run of the workflow's newest version, or the one that this `trigger_key` has started before.

    `parent`: the instance and the path of the step that asks for it; `rerun_of`: the one that it repeats. Raises
    AlreadyRunning when the workflow runs one at a time and does so, Conflict when too many causes lie behind this.
    What an event, a schedule or a webhook asks for raises neither: the run is there, cancelled, with the reason as its
    error.
    """
    refusal = await _refusal(context, workflow)
    if refusal is not None and trigger_type not in _UNATTENDED:
        raise refusal
    instance_id = new_id("wfi")
    queued = refusal is None and workflow.concurrency == "queue"
    task_id = None
    if refusal is None and not queued:
        task_id = await spawn_run(context, instance_id, awaited=awaited)
    row: dict[str, Any] = {
        "id": instance_id,
        "event_id": event_id,
        "trigger_type": trigger_type,
        "trigger_key": trigger_key,
        "parent_id": parent[0] if parent else None,
        "parent_path": parent[1] if parent else None,
        "rerun_of": rerun_of,
        "queued_at": context.now if queued else None,
        "task_id": task_id,
    }
    if refusal is None:
        instance = await _keep(context, workflow, input_, status="running", **row)
    else:
        instance = await _keep(context, workflow, input_, status="cancelled", error=_kept(refusal), **row)
    if queued:
        await admit_next(context, workflow.id)
    return instance


async def keep_failed(
    context: Context, workflow: Workflow | Runnable, input_: dict[str, Any], error: APIError, **trigger: Any
) -> Instance:
    """A run that failed before it began, and its event. `trigger`: as `start` takes it."""
    nothing = dict.fromkeys(("parent_id", "parent_path", "rerun_of", "queued_at", "task_id", "event_id"))
    row: dict[str, Any] = {**nothing, **trigger, "id": new_id("wfi")}
    instance = await _keep(context, workflow, input_, status="failed", error=_kept(error), **row)
    if instance.id == row["id"]:
        finished = FinishedInstance(
            instance_id=instance.id, workflow_id=workflow.id, workflow_name=workflow.name, status="failed",
            duration_ms=0, output=None, output_truncated=False, error=instance.error,
        )  # fmt: skip
        await record(replace(context, cause=Cause(f"run:{instance.id}", instance.depth + 1)), FAILED, finished)
    return instance


def require_depth(context: Context) -> None:
    """Raises Conflict when too many causes lie behind this."""
    if context.cause.depth > MAX_DEPTH:
        raise Conflict(_TOO_DEEP)


async def spawn_run(context: Context, instance_id: str, *, awaited: bool = False) -> UUID:
    """The durable task of an instance."""
    return await spawn(context, TASK, task_params(instance_id, awaited=awaited))


def task_params(instance_id: str, *, awaited: bool = False) -> dict[str, str]:
    """What the durable task of an instance carries."""
    return {"instance_id": instance_id, **({"awaited": "yes"} if awaited else {})}


async def admit_next(context: Context, workflow_id: str) -> None:
    """Called in the transaction that ends a run of a workflow which queues its runs: the next one has its turn.

    It locks nothing: a task of its own looks who is next.
    """
    await spawn(context, ADMIT_TASK, {"workflow_id": workflow_id})


def finished_topic(instance_id: str) -> str:
    """What is woken when an awaited instance has ended."""
    return f"instance:{instance_id}"


def watch_key(caller: Caller, instance_id: str) -> Key:
    return caller.org_id, caller.environment.value, instance_id


def tell_watchers(context: Context, instance_id: str) -> None:
    """After a commit: who watches the run in this process sees the change at once, the others soon."""
    context.services.watches.hint(WATCHED, watch_key(context.caller, instance_id))


async def _refusal(context: Context, workflow: Workflow | Runnable) -> APIError | None:
    """Why there must be no run now. Who is told None for a workflow that runs one at a time is the only one to be."""
    if context.cause.depth > MAX_DEPTH:
        return Conflict(_TOO_DEEP)
    if workflow.concurrency == "one":
        await queries.hold_turn(context, workflow.id)
        if await queries.has_unfinished(context, workflow.id):
            return AlreadyRunning()
    return None


async def _keep(
    context: Context,
    workflow: Workflow | Runnable,
    input_: dict[str, Any],
    *,
    status: str,
    error: dict[str, Any] | None = None,
    **own: Any,
) -> Instance:
    now = context.now
    finished_at: datetime | None = None if status == "running" else now
    row = {
        **identity(context.caller),
        **own,
        "workflow_id": workflow.id,
        "version": workflow.version,
        "status": status,
        "total_steps": workflow.steps_count,
        "depth": context.cause.depth,
        "started_by": context.caller.actor,
        "finished_at": finished_at,
    }
    texts = {
        **await columns(context, input_, "input"),
        "error": None if error is None else json.dumps(error).decode(),
    }
    if not await context.session.run(_INSERT, {**row, **texts, "now": now}):
        if own["task_id"] is not None:
            await cancel(context, own["task_id"])
        return await queries.get_triggered(context, workflow.id, own["trigger_key"])
    return Instance(**row, current_step=1, rounds=0, input=input_, error=error, started_at=now, updated_at=now)


def _kept(error: APIError) -> dict[str, Any]:
    return {**error.render(DEFAULT_LANGUAGE), "step_id": None, "path": None}


_TOO_DEEP: Final = Text(
    f"Los workflows se causan unos a otros más de {MAX_DEPTH} veces seguidas.",
    f"Workflows cause one another more than {MAX_DEPTH} times in a row.",
)
