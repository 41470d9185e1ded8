"""Telling a run that one which it waits for has ended; and ending those that nobody waits for any more.

A run that ends holds its own task; were it to wake its parent in the same transaction, it would wait for the parent's
while a parent that is cancelled waits for it. So a small durable task wakes the parent afterwards.
"""

from typing import Final

from bivelio_server.durable import Run, spawn, wake
from bivelio_server.kit.context import Context
from bivelio_server.workflows.control import queries
from bivelio_server.workflows.running import abandoned
from bivelio_server.workflows.triggers.unattended import unattended

WAKE_TASK: Final = "workflows.wake"
_ACTOR: Final = "system:workflows"


async def tell_parent(context: Context, parent_id: str | None, parent_path: str | None) -> None:
    """In the transaction in which a run ends."""
    if parent_id is None or parent_path is None:
        return
    if await queries.is_waited_for(context, parent_id, parent_path):
        await spawn(context, WAKE_TASK, {"instance_id": parent_id})


async def wake_run(run: Run) -> None:
    """The handler of the durable task `workflows.wake`."""
    async with unattended(run, actor=_ACTOR) as context:
        task_id = await queries.task_of(context, run.params["instance_id"])
        if task_id is not None:
            await wake(context, task_id)
        await run.finish(context.session)


async def cancel_left_children(run: Run) -> None:
    """The handler of the durable task `workflows.cancel_children`."""
    goes_on = True
    while goes_on:
        async with unattended(run, actor=_ACTOR) as context:
            goes_on = await abandoned.cancel_left(context, run.params["instance_id"])
            if not goes_on:
                await run.finish(context.session)
