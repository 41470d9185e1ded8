"""What invoking an agent takes and gives, and what is kept of it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import FreeObject, Id, Input, Output, PageInput, Pagination

ExecutionStatus = Literal["running", "waiting_approval", "completed", "failed"]
ApprovalStatus = Literal["pending", "approved", "rejected"]


class AgentInput(Input):
    """`text` is what the agent works on, `context` whatever it should know besides; to it both are data, no orders."""

    text: str = Field(min_length=1, max_length=100_000, examples=["El cliente quiere cambiar su plan a Enterprise"])
    context: FreeObject = Field(default={}, examples=[{"client_id": "ct_abc123", "current_plan": "pro"}])


class AgentInvoke(Input):
    """With `stream` the reply is a stream of events: what the model writes as it does, then the `result`."""

    agent_id: Id = Field(examples=["ag_classifier_01"])
    input: AgentInput
    stream: bool = False


class TokenUsage(Output):
    """`prompt` includes `cached`, `output` includes `thought`."""

    model_config = ConfigDict(from_attributes=True)

    prompt: int
    output: int
    cached: int
    thought: int


class AgentApproval(Output):
    """What an agent wants to do and only a person may decide. `result` and `error` tell what became of it."""

    model_config = ConfigDict(from_attributes=True)

    approval_id: str
    execution_id: str
    agent_id: str
    agent_name: str
    operation: str
    arguments: dict[str, Any]
    status: ApprovalStatus
    decided_by: str | None
    decided_at: datetime | None
    comment: str | None
    result: Any
    error: dict[str, Any] | None
    created_at: datetime


class AgentInvocation(Output):
    """`output` fits the agent's schema; a classification has `intent`, `confidence`, `suggested_action` and
    `extracted_entities`. `engine` and `model` say what produced it. With the status `waiting_approval` the `approvals`
    are to be decided first, and `completed_at` is null."""

    execution_id: str
    agent_id: str
    agent_name: str
    status: ExecutionStatus
    output: Any
    tokens_used: int
    credits_consumed: int
    duration_ms: int
    completed_at: datetime | None
    engine: str | None
    model: str | None
    usage: TokenUsage
    approvals: list[AgentApproval]


class AgentDelta(Output):
    """The next piece of what the model writes."""

    text: str


class AgentToolUse(Output):
    """An operation that the agent has used, or asked for in vain."""

    operation: str
    status: Literal["done", "failed", "waiting_approval"]


class TraceEntry(Output):
    """One thing that happened: the `prompt` that began it, what the `model` said, a `tool` that was used, a `repair`
    that was asked for, a `decision`."""

    kind: Literal["prompt", "model", "tool", "repair", "decision"]
    at: datetime
    duration_ms: int | None
    detail: dict[str, Any]


class AgentExecutionList(PageInput):
    agent_id: Id | None = None
    status: ExecutionStatus | None = None


class AgentExecutionReference(Input):
    execution_id: Id


class AgentExecutionSummary(Output):
    """`cause` is the run whose step it was (`run:…`), null when somebody asked."""

    execution_id: str
    agent_id: str
    agent_name: str
    agent_version: int
    status: ExecutionStatus
    engine: str | None
    model: str | None
    tokens_used: int
    credits_consumed: int
    duration_ms: int
    error: dict[str, Any] | None
    invoked_by: str
    on_behalf_of: str | None
    cause: str | None
    started_at: datetime
    completed_at: datetime | None


class AgentExecutionPage(Output):
    executions: list[AgentExecutionSummary]
    pagination: Pagination


class AgentExecutionView(AgentExecutionSummary):
    """The whole of it. What looks like a secret is masked in `input` and `trace`."""

    input: dict[str, Any]
    output: Any
    usage: TokenUsage
    trace: list[TraceEntry]
    approvals: list[AgentApproval]


class AgentApprovalList(PageInput):
    execution_id: Id | None = None
    status: ApprovalStatus | None = None


class AgentApprovalPage(Output):
    approvals: list[AgentApproval]
    pagination: Pagination


class AgentDecide(Input):
    """An approval is carried out with the rights of whoever approves."""

    approval_id: Id
    decision: Literal["approve", "reject"]
    comment: str | None = Field(None, max_length=1000)
