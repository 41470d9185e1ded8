"""A workflow that was saved, activated, paused, deleted or restored: what starts it from now on."""

from bivelio_server.events.recording import subscribe
from bivelio_server.kit.context import Context
from bivelio_server.workflows import queries
from bivelio_server.workflows.definition import Definition, EventTrigger
from bivelio_server.workflows.instances import admit_next
from bivelio_server.workflows.models import Workflow
from bivelio_server.workflows.triggers.events import KIND


async def listen(context: Context, workflow: Workflow, definition: Definition) -> None:
    """Let the workflow be started by its trigger while it is active, and only then."""
    trigger = definition.trigger
    fires = workflow.status == "active" and workflow.deleted_at is None
    events = [trigger.event] if fires and isinstance(trigger, EventTrigger) else []
    await subscribe(context, KIND, workflow.id, events)
    if await queries.has_queued(context, workflow.id):
        await admit_next(context, workflow.id)
