"""Running a workflow because somebody asks for it: who may, and when."""

from typing import Any, Final

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict
from bivelio_server.kit.text import Text
from bivelio_server.workflows import instances, queries
from bivelio_server.workflows.checking import check_rights
from bivelio_server.workflows.input_schema import check_input
from bivelio_server.workflows.models import Instance, Workflow
from bivelio_server.workflows.queries import Runnable


async def begin(
    context: Context, workflow_id: str, input_: dict[str, Any], **trigger: Any
) -> tuple[Instance, Runnable]:
    """A run of the workflow, which must be active. `trigger`: as `instances.start` takes it. Raises NotFound, Conflict,
    AlreadyRunning, InsufficientScope, ValidationFailed."""
    workflow, definition = await queries.get_to_run(context, workflow_id)
    require_active(workflow)
    check_rights(definition, context.services.catalogue, context.caller)
    checked = check_input(definition, input_)
    return await instances.start(context, workflow, checked, **trigger), workflow


def require_active(workflow: Workflow | Runnable) -> None:
    """Raises Conflict."""
    if workflow.status != "active":
        raise Conflict(_NOT_ACTIVE)


_NOT_ACTIVE: Final = Text("El workflow no está activo.", "The workflow is not active.")
