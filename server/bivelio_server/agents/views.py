"""How executions and approvals are shown."""

from collections.abc import Iterable

from bivelio_server.agents.execution_schemas import (
    AgentApproval,
    AgentExecutionSummary,
    AgentExecutionView,
    AgentInvocation,
)
from bivelio_server.agents.models import Approval, Execution


def invocation_of(row: Execution, approvals: Iterable[Approval]) -> AgentInvocation:
    return AgentInvocation.model_validate(_fields(row, approvals))


def summary_of(row: Execution) -> AgentExecutionSummary:
    return AgentExecutionSummary.model_validate(_fields(row, ()))


def execution_view(row: Execution, approvals: Iterable[Approval]) -> AgentExecutionView:
    return AgentExecutionView.model_validate(_fields(row, approvals))


def approval_view(row: Approval) -> AgentApproval:
    names = [name for name in AgentApproval.model_fields if name != "approval_id"]
    return AgentApproval(approval_id=row.id, **{name: getattr(row, name) for name in names})


def _fields(row: Execution, approvals: Iterable[Approval]) -> dict[str, object]:
    values = {name: getattr(row, name) for name in _OF_ROW}
    return {**values, "execution_id": row.id, "approvals": [approval_view(approval) for approval in approvals]}


_OF_ROW = (AgentExecutionView.model_fields.keys() | AgentInvocation.model_fields.keys()) - {"execution_id", "approvals"}
