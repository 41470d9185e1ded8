"""The hook of a workflow, made with the first version that is started by a webhook."""

from bivelio_server.kit.context import Context
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity
from bivelio_server.workflows.definition import Definition, WebhookTrigger
from bivelio_server.workflows.hooks import queries
from bivelio_server.workflows.hooks.models import WorkflowHook
from bivelio_server.workflows.models import Workflow


async def keep_hook(context: Context, workflow: Workflow, definition: Definition) -> None:
    """Called with the workflow locked, or new. Another trigger leaves the hook for when this one comes back."""
    if isinstance(definition.trigger, WebhookTrigger) and await queries.find(context, workflow.id) is None:
        context.session.add(
            WorkflowHook(**identity(context.caller), id=new_id("hook"), workflow_id=workflow.id, created_at=context.now)
        )
        await context.session.flush()
