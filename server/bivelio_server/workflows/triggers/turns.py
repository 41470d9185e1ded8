"""Runs that wait for one another: each that ends lets the next one begin."""

from typing import Final

from bivelio_server.durable import Run
from bivelio_server.workflows import queries
from bivelio_server.workflows.instances import spawn_run
from bivelio_server.workflows.triggers.unattended import unattended

#: Of a workflow that does not queue its runs any more, this many begin in one transaction.
_BATCH: Final = 100


async def admit(run: Run) -> None:
    """The handler of the durable task `workflows.admit`: whoever is next begins, if it is its turn."""
    while await _admit_some(run) == _BATCH:
        pass


async def _admit_some(run: Run) -> int:
    workflow_id = run.params["workflow_id"]
    async with unattended(run, actor=f"workflow:{workflow_id}") as context:
        await queries.hold_turn(context, workflow_id)
        begin = await queries.next_in_line(context, workflow_id, limit=_BATCH)
        for instance_id in begin:
            await queries.leave_line(context, instance_id, await spawn_run(context, instance_id, awaited=True))
        return len(begin)
