"""Telling a run that one which it waits for has ended; and ending those that nobody waits for any more.

A run that ends holds its own task; were it to wake its parent in the same transaction, it would wait for the parent's
while a parent that is cancelled waits for it. So a small durable task wakes the parent afterwards.
"""

from typing import Final
from uuid import UUID

from bivelio_server.durable import Run, spawn, wake
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Cause, Context
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.workflows.control import queries
from bivelio_server.workflows.running import abandoned

WAKE_TASK: Final = "workflows.wake"
_NOBODY: Final = UUID(int=0)


async def tell_parent(context: Context, parent_id: str | None, parent_path: str | None) -> None:
    """In the transaction in which a run ends."""
    if parent_id is None or parent_path is None:
        return
    if await queries.is_waited_for(context, parent_id, parent_path):
        await spawn(context, WAKE_TASK, {"instance_id": parent_id})


async def wake_run(run: Run) -> None:
    """The handler of the durable task `workflows.wake`."""
    async with run.transaction() as session:
        context = Context(_caller(run), session, run.services, Origin(Door.workflow), Cause())
        task_id = await queries.task_of(context, run.params["instance_id"])
        if task_id is not None:
            await wake(context, task_id)
        await run.finish(session)
    _tell(context)


async def cancel_left_children(run: Run) -> None:
    """The handler of the durable task `workflows.cancel_children`."""
    goes_on = True
    while goes_on:
        async with run.transaction() as session:
            context = Context(_caller(run), session, run.services, Origin(Door.workflow), Cause())
            goes_on = await abandoned.cancel_left(context, run.params["instance_id"])
            if not goes_on:
                await run.finish(session)
        _tell(context)


def _tell(context: Context) -> None:
    for topic in context.topics:
        context.services.wakeups.wake(topic)


def _caller(run: Run) -> Caller:
    return Caller(run.org_id, run.environment, "system:workflows", _NOBODY, frozenset())
