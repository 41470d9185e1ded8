"""The events of approvals."""

from datetime import UTC, datetime
from typing import Final

from bivelio_server.events.definitions import EventDefinition
from bivelio_server.kit.text import Text
from bivelio_server.workflows.approvals.schemas import ApprovalView, ApproversView

_REQUESTED: Final = ApprovalView(
    approval_id="apr_a1b2c3d4",
    status="pending",
    title="Factura de 1.250,00 € a Empresa ABC",
    message="¿La enviamos?",
    workflow_id="wf_a1b2c3d4",
    workflow_name="Facturación mensual",
    instance_id="wfi_x9y8z7w6",
    path="ok",
    approvers=ApproversView(roles=["owner", "admin"], users=[]),
    deadline=datetime(2026, 4, 9, 12, tzinfo=UTC),
    default="reject",
    decided_by=None,
    decided_at=None,
    comment=None,
    created_at=datetime(2026, 4, 7, 12, tzinfo=UTC),
)
_DECIDED: Final = _REQUESTED.model_copy(
    update={
        "status": "approved",
        "decided_by": "user:3f2b8c1e-5a4d-4f6b-9c7e-1d2a3b4c5d6e",
        "decided_at": datetime(2026, 4, 7, 15, 30, tzinfo=UTC),
        "comment": "Adelante.",
    }
)
REQUESTED: Final = EventDefinition(
    "approval.requested",
    ApprovalView,
    Text("Una ejecución espera una decisión", "A run waits for a decision"),
    _REQUESTED,
)
DECIDED: Final = EventDefinition(
    "approval.decided",
    ApprovalView,
    Text("Alguien ha decidido, o el plazo ha vencido", "Somebody has decided, or the deadline has passed"),
    _DECIDED,
)
EVENTS: Final = (REQUESTED, DECIDED)
