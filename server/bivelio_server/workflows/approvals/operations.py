"""Approvals: list what waits for a decision, and decide."""

from typing import Final

from bivelio_server.durable import wake
from bivelio_server.events.recording import record
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, InsufficientScope, NotFound
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.members.addressing import member_behind
from bivelio_server.workflows.approvals import queries
from bivelio_server.workflows.approvals.events import DECIDED
from bivelio_server.workflows.approvals.models import Approval
from bivelio_server.workflows.approvals.schemas import (
    ApprovalDecide,
    ApprovalList,
    ApprovalPage,
    ApprovalReference,
    ApprovalView,
)
from bivelio_server.workflows.approvals.views import view_of
from bivelio_server.workflows.control.queries import be_patient
from bivelio_server.workflows.queries import get_instance, require_known

feature: Final = Feature("workflows")


@feature.operation(
    "list_approvals", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Lista las decisiones que esperan las ejecuciones", "List the decisions that runs wait for"),
)  # fmt: skip
async def list_approvals(context: Context, data: ApprovalList) -> ApprovalPage:
    if data.instance_id is not None:
        await get_instance(context, data.instance_id)
    if data.workflow_id is not None:
        await require_known(context, data.workflow_id)
    found: list[queries.Found] = []
    total = 0
    person = await member_behind(context) if data.mine else None
    if person is not None or not data.mine:
        found, total = await queries.list_approvals(context, data, person)
    return ApprovalPage(
        approvals=[view_of(each.approval, each.workflow_name) for each in found], pagination=Pagination.of(data, total)
    )


@feature.operation(
    "get_approval", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene una decisión y lo que se decidió", "Get a decision and what was decided"),
)  # fmt: skip
async def get_approval(context: Context, data: ApprovalReference) -> ApprovalView:
    found = await queries.get(context, data.approval_id)
    return view_of(found.approval, found.workflow_name)


@feature.operation(
    "decide", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, InsufficientScope, Conflict],
    doors=DIRECT_DOORS, doors_reason="an approval is a person's: neither a workflow nor an agent may give it",
    summary=Text("Aprueba o rechaza lo que espera una ejecución", "Approve or reject what a run waits for"),
)  # fmt: skip
async def decide(context: Context, data: ApprovalDecide) -> ApprovalView:
    found = await queries.get(context, data.approval_id)
    await _require_approver(context, found.approval)
    _require_open(context, found.approval)
    if found.task_id is not None:
        await be_patient(context)
        # The run first, then its rows, as the run does: from here on it does not end the approval under our hands.
        await wake(context, found.task_id)
    approval, workflow_name, _task_id = await queries.get(context, data.approval_id, lock=True)
    _require_open(context, approval)
    approval.status = "approved" if data.decision == "approve" else "rejected"
    approval.decided_by, approval.decided_at = context.caller.actor, context.now
    approval.comment = data.comment
    await context.session.flush()
    view = view_of(approval, workflow_name)
    await record(context, DECIDED, view)
    return view


async def _require_approver(context: Context, approval: Approval) -> None:
    """Raises InsufficientScope."""
    person = await member_behind(context)
    if person is None or not person.is_meant_by(approval.approver_roles, approval.approver_users):
        raise InsufficientScope(_NOT_YOURS, details={"required": "approver"})


def _require_open(context: Context, approval: Approval) -> None:
    """Raises Conflict, which says what was decided."""
    if approval.status != "pending":
        outcome = {"status": approval.status, "decided_by": approval.decided_by, "decided_at": approval.decided_at}
        raise Conflict(_OVER[approval.status], details=outcome)
    if approval.deadline is not None and approval.deadline <= context.now:
        raise Conflict(_OVER["expired"], details={"status": "expired", "decided_by": None, "decided_at": None})


_NOT_YOURS: Final = Text("No estás entre quienes pueden decidir esto.", "You are not among those who may decide this.")
_OVER: Final = {
    "approved": Text("Ya está aprobado.", "It has been approved already."),
    "rejected": Text("Ya está rechazado.", "It has been rejected already."),
    "expired": Text("El plazo para decidir ha vencido.", "The time to decide is over."),
    "cancelled": Text("La ejecución ya no espera esta decisión.", "The run does not wait for this decision any more."),
}
