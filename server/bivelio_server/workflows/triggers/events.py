"""What an event asks of workflows, queued in its own transaction: one task, however many listen or wait for it."""

from collections.abc import Sequence
from typing import Final

from bivelio_server.durable import spawn
from bivelio_server.events.definitions import RecordedEvent
from bivelio_server.kit.context import Context, Reaction

#: Workflows that an event starts, and workflows with steps that wait for one. Whether any run does is for the task to
#: see: the runs of an earlier version may.
STARTED: Final = "workflow"
AWAITED: Final = "workflow_wait"
TASK: Final = "workflows.react"


async def _queue(context: Context, event: RecordedEvent, _: Sequence[str]) -> None:
    await spawn(context, TASK, {"event_id": event.id, "actor": context.caller.actor})


_REACTION: Final = Reaction(_queue, some=True)
REACTIONS: Final = {STARTED: _REACTION, AWAITED: _REACTION}
