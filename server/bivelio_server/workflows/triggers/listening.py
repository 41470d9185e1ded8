"""A workflow that was saved, activated, paused, deleted or restored: what starts it from now on."""

from bivelio_server.events.recording import subscribe, subscribe_besides
from bivelio_server.kit.context import Context
from bivelio_server.workflows import queries
from bivelio_server.workflows.definition import CronTrigger, Definition, EventTrigger, WaitForEventStep, walk
from bivelio_server.workflows.instances import admit_next
from bivelio_server.workflows.models import Workflow
from bivelio_server.workflows.triggers.events import AWAITED, STARTED
from bivelio_server.workflows.triggers.ticking import plan


async def listen(context: Context, workflow: Workflow, definition: Definition) -> None:
    """Let the workflow be started by its trigger while it is active, and only then."""
    trigger = definition.trigger
    fires = workflow.status == "active" and workflow.deleted_at is None
    events = [trigger.event] if fires and isinstance(trigger, EventTrigger) else []
    await subscribe(context, STARTED, workflow.id, events)
    await plan(context, workflow.id, trigger if fires and isinstance(trigger, CronTrigger) else None)
    awaited = {step.wait_for_event.event for _, step in walk(definition) if isinstance(step, WaitForEventStep)}
    await subscribe_besides(context, AWAITED, workflow.id, awaited)
    if await queries.has_queued(context, workflow.id):
        await admit_next(context, workflow.id)
