"""The events of workflows."""

from typing import Final

from bivelio_server.events.definitions import EventDefinition
from bivelio_server.kit.text import Text
from bivelio_server.workflows.schemas import FinishedInstance

_COMPLETED: Final = FinishedInstance(
    instance_id="wfi_x9y8z7w6",
    workflow_id="wf_a1b2c3d4",
    workflow_name="Onboarding de cliente",
    status="completed",
    duration_ms=45000,
    output={"client_configured": True, "welcome_email_sent": True},
    output_truncated=False,
    error=None,
)
_FAILED: Final = _COMPLETED.model_copy(
    update={
        "status": "failed",
        "output": None,
        "error": {"code": "RESOURCE_NOT_FOUND", "message": "El recurso solicitado no existe."},
    }
)
COMPLETED: Final = EventDefinition(
    "workflow.completed", FinishedInstance, Text("Un workflow ha finalizado", "A workflow has completed"), _COMPLETED
)
FAILED: Final = EventDefinition(
    "workflow.failed", FinishedInstance, Text("Un workflow ha fallado", "A workflow has failed"), _FAILED
)
EVENTS: Final = (COMPLETED, FAILED)
