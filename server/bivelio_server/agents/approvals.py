"""What agents ask before they do it: list it, and decide.

Deciding carries the operation out, with the rights of whoever approves; once everything that an execution asked for is
decided, it is over. The model is not asked again: what was decided stands beside what it had said.
"""

from typing import Any, Final

from bivelio_server.agents import queries
from bivelio_server.agents.agents import agent_of
from bivelio_server.agents.events import EXECUTED
from bivelio_server.agents.execution_schemas import (
    AgentApproval,
    AgentApprovalList,
    AgentApprovalPage,
    AgentDecide,
)
from bivelio_server.agents.models import Approval, Execution
from bivelio_server.agents.outcome import entry
from bivelio_server.agents.tools import Hand, bounded, call_key, input_of, is_usable, is_within, refusal_of
from bivelio_server.agents.views import approval_view, invocation_of
from bivelio_server.events.recording import record as record_event
from bivelio_server.kit import json
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Cause, Context, OutgoingCall
from bivelio_server.kit.door import insufficient_scope
from bivelio_server.kit.errors import APIError, Conflict, InsufficientScope, IntegrationFailed, NotFound, Unavailable
from bivelio_server.kit.idempotency import KeyInFlight
from bivelio_server.kit.models import Output, Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature, Operation
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text

feature: Final = Feature("agents")


@feature.operation(
    "list_approvals", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Lista lo que los agentes piden antes de hacerlo", "List what agents ask before they do it"),
)  # fmt: skip
async def list_approvals(context: Context, data: AgentApprovalList) -> AgentApprovalPage:
    if data.execution_id is not None:
        await queries.get_execution(context, data.execution_id)
    rows, total = await queries.list_approvals(context, data)
    return AgentApprovalPage(approvals=[approval_view(row) for row in rows], pagination=Pagination.of(data, total))


class PreparedDecision(Output):
    """What is to be done, as JSON in `arguments`; nothing when `approved` is false."""

    approval_id: str
    execution_id: str
    agent_id: str
    operation: str
    arguments: str
    approved: bool
    depth: int
    request_id: str | None
    address: str | None


class Done(Output):
    result: Any
    error: dict[str, Any] | None


async def _prepare(context: Context, data: AgentDecide) -> PreparedDecision:
    approval = await queries.get_approval(context, data.approval_id, lock=True)
    wanted = "approved" if data.decision == "approve" else "rejected"
    _require_open(approval, wanted)
    if wanted == "approved":
        await _require_possible(context, approval)
    if approval.status == "pending":
        approval.status, approval.comment = wanted, data.comment
        approval.decided_by, approval.decided_at = context.caller.actor, context.now
    execution = await queries.get_execution(context, approval.execution_id)
    await context.session.flush()
    return PreparedDecision(
        approval_id=approval.id, execution_id=execution.id, agent_id=approval.agent_id, operation=approval.operation,
        arguments=json.dumps(approval.arguments).decode(), approved=wanted == "approved", depth=execution.depth,
        request_id=context.origin.request_id, address=context.origin.address,
    )  # fmt: skip


def _require_open(approval: Approval, wanted: str) -> None:
    """Whoever broke off after the decision may say it again. Raises Conflict."""
    is_left_over = approval.status == wanted and approval.done_at is None
    if approval.status != "pending" and not is_left_over:
        outcome = {"status": approval.status, "decided_by": approval.decided_by, "decided_at": approval.decided_at}
        raise Conflict(_DECIDED, details=outcome)


async def _require_possible(context: Context, approval: Approval) -> None:
    """Whether the agent may still ask for it, and this caller do it. Raises Conflict, InsufficientScope."""
    operation = context.services.catalogue.named(approval.operation)
    try:
        granted = {tool.operation for tool in (await agent_of(context, approval.agent_id)).tools}
    except NotFound:
        granted = set()
    if operation is None or approval.operation not in granted or not is_usable(operation):
        raise Conflict(_NO_LONGER, details={"operation": approval.operation})
    if not is_within(operation, context.caller):
        raise insufficient_scope(operation)


async def _perform(call: OutgoingCall, prepared: PreparedDecision) -> Done:
    """Raises Unavailable, or what else may pass: then it may be decided again."""
    if not prepared.approved:
        return Done(result=None, error=None)
    operation = _known(call, prepared)
    cause = Cause(f"agent:{prepared.execution_id}", prepared.depth + 1)
    origin = Origin(Door.agent, prepared.request_id, prepared.address)
    hand = Hand(call.services, call.caller, prepared.agent_id, origin, cause)
    try:
        data = input_of(operation, json.loads_trusted(prepared.arguments))
        result = await hand.do(operation, data, call_key(prepared.approval_id, 1))
    except (KeyInFlight, Unavailable):
        raise
    except APIError as error:
        return Done(result=None, error={**refusal_of(error), "message_en": error.text.en})
    return Done(result=bounded(result), error=None)


def _known(call: OutgoingCall, prepared: PreparedDecision) -> Operation:
    operation = call.services.catalogue.named(prepared.operation)
    assert operation is not None  # it was there a moment ago
    return operation


async def _record(context: Context, prepared: PreparedDecision, done: Done) -> AgentApproval:
    execution = await queries.get_execution(context, prepared.execution_id, lock=True)
    approval = await queries.get_approval(context, prepared.approval_id, lock=True)
    if approval.done_at is None:
        approval.result, approval.error, approval.done_at = done.result, done.error, context.now
        execution.trace = [*execution.trace, entry(context.services.clock, "decision", _told(approval), None)]
        await context.session.flush()
        await _end(context, execution)
    return approval_view(approval)


async def _record_failure(context: Context, prepared: PreparedDecision, error: IntegrationFailed) -> None:
    """Nothing was done; it may be decided again."""


async def _end(context: Context, execution: Execution) -> None:
    """The execution is over once nothing of it waits any more."""
    approvals = await queries.approvals_of(context, execution.id)
    if any(approval.done_at is None for approval in approvals):
        return
    said = execution.output if isinstance(execution.output, dict) else {}
    execution.status, execution.completed_at = "completed", context.now
    execution.output = {**said, "decisions": [_told(approval) for approval in approvals]}
    await context.session.flush()
    await record_event(context, EXECUTED, invocation_of(execution, approvals))


def _told(approval: Approval) -> dict[str, Any]:
    return {
        "approval_id": approval.id,
        "operation": approval.operation,
        "decision": approval.status,
        "result": approval.result,
        "error": approval.error,
    }


feature.external(
    "decide", scope=Scope.write,
    summary=Text("Aprueba o rechaza lo que pide un agente", "Approve or reject what an agent asks for"),
    prepare=_prepare, perform=_perform, record=_record, record_failure=_record_failure,
    errors=[NotFound, Conflict, InsufficientScope],
    doors=DIRECT_DOORS, doors_reason="a decision is a person's: neither a workflow nor an agent may take it",
)  # fmt: skip
_DECIDED: Final = Text("Ya se decidió.", "It has been decided already.")
_NO_LONGER: Final = Text(
    "El agente ya no tiene concedida esta operación; solo se puede rechazar.",
    "The agent is no longer granted this operation; it can only be rejected.",
)
