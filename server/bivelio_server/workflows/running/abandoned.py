"""Letting go of what is not to be finished: of what a step waited for, and of whole runs with those they wait for."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from bivelio_server.durable import cancel_all, spawn
from bivelio_server.kit.context import Context
from bivelio_server.kit.text import DEFAULT_LANGUAGE, Text
from bivelio_server.workflows.approvals import asking
from bivelio_server.workflows.control import queries
from bivelio_server.workflows.control.queries import CancelledRun
from bivelio_server.workflows.instances import ENDED, admit_next
from bivelio_server.workflows.triggers import waits

#: Called with the instance's id and the paths of the steps.
LetGo: TypeAlias = Callable[[Context, str, Sequence[str]], Awaitable[None]]
CHILDREN_TASK: Final = "workflows.cancel_children"
#: So many runs are cancelled in one transaction; whatever else they wait for is left to durable tasks.
MOST_AT_ONCE: Final = 500
_RUN_WORKFLOW: Final = "run_workflow"


async def let_go(context: Context, instance_id: str, steps: Iterable[tuple[str, str]]) -> None:
    """Of what these steps of a run, as path and kind, have waited for."""
    for kind, paths in _by_kind(steps).items():
        await _LET_GO[kind](context, instance_id, paths)


def holds_something(kind: str) -> bool:
    """Whether a step of this kind has something to let go of."""
    return kind in _LET_GO


async def cancel_runs(context: Context, instance_ids: Sequence[str], error: dict[str, Any]) -> list[CancelledRun]:
    """Cancel those that have not ended, with `error`, and level by level the runs that they wait for; all of them."""
    level = await _cancel_level(context, instance_ids, error)
    cancelled: list[CancelledRun] = []
    while level:
        cancelled += level
        waiting = [(run.id, path) for run in level for path, kind in run.steps if kind == _RUN_WORKFLOW]
        found = [] if len(cancelled) >= MOST_AT_ONCE else await queries.children(context, waiting, MOST_AT_ONCE)
        if waiting and (len(cancelled) >= MOST_AT_ONCE or len(found) == MOST_AT_ONCE):
            await _leave_children(context, {instance_id for instance_id, _ in waiting})
        level = await _cancel_level(context, found, _NOT_WAITED_FOR) if found else []
    return cancelled


async def _cancel_level(context: Context, instance_ids: Sequence[str], error: dict[str, Any]) -> list[CancelledRun]:
    """Their tasks come first: a run locks its task before its rows."""
    tasks = await queries.tasks_of(context, instance_ids)
    await cancel_all(context, tasks)
    cancelled = await queries.cancel(context, instance_ids, tasks, error)
    for run in cancelled:
        await let_go(context, run.id, [step for step in run.steps if step[1] != _RUN_WORKFLOW])
    for workflow_id in sorted({run.workflow_id for run in cancelled if run.takes_turns}):
        await admit_next(context, workflow_id)
    ENDED.labels("cancelled").inc(len(cancelled))
    return cancelled


async def _leave_children(context: Context, instance_ids: set[str]) -> None:
    for instance_id in sorted(instance_ids):
        await spawn(context, CHILDREN_TASK, {"instance_id": instance_id})


async def cancel_left(context: Context, instance_id: str) -> bool:
    """Cancel some of the runs whose end nobody waits for any more; whether there may be others."""
    found = await queries.left_children(context, instance_id, MOST_AT_ONCE)
    await cancel_runs(context, found, _NOT_WAITED_FOR)
    return len(found) == MOST_AT_ONCE


def cancelled_error(reason: Text, cancelled_by: str | None) -> dict[str, Any]:
    """The error of a cancelled run, as it is kept."""
    said = {"message": reason.in_language(DEFAULT_LANGUAGE), "message_en": reason.en}
    return {"code": "CANCELLED", **said, "step_id": None, "path": None, "cancelled_by": cancelled_by}


async def _cancel_children(context: Context, instance_id: str, paths: Sequence[str]) -> None:
    found = await queries.children(context, [(instance_id, path) for path in paths], MOST_AT_ONCE)
    await cancel_runs(context, found, _NOT_WAITED_FOR)
    if len(found) == MOST_AT_ONCE:
        await _leave_children(context, {instance_id})


def _by_kind(steps: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, kind in steps:
        if kind in _LET_GO:
            found.setdefault(kind, []).append(path)
    return found


#: By the kind of step, as its record shows it.
_LET_GO: Final[Mapping[str, LetGo]] = {
    _RUN_WORKFLOW: _cancel_children,
    "approval": asking.close,
    "wait_for_event": waits.let_go,
}
_NOT_WAITED_FOR: Final = cancelled_error(
    Text("La ejecución que esperaba a esta ya no la espera.", "The run that waited for this one waits no longer."), None
)
