"""What the approval operations take and give."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import Id, Input, Output, PageInput, Pagination

ApprovalStatus = Literal["pending", "approved", "rejected", "expired", "cancelled"]
Decision = Literal["approve", "reject"]


class ApprovalList(PageInput):
    status: ApprovalStatus | None = None
    instance_id: Id | None = None
    workflow_id: Id | None = None
    mine: bool = Field(False, description="Only those that wait for you, or for whoever made the key.")


class ApprovalReference(Input):
    approval_id: Id


class ApprovalDecide(Input):
    approval_id: Id
    decision: Decision
    comment: str | None = Field(None, max_length=4000)


class ApproversView(Output):
    """The roles, and the addresses of the people, who may decide."""

    roles: list[str]
    users: list[str]


class ApprovalView(Output):
    """A decision that a run waits for, at the `path` of its step.

    `default` is what counts once the deadline is over: then `decided_by` stays null; without it the status is
    `expired`, and the step fails. `cancelled`: the run went on, or ended, without it.
    """

    model_config = ConfigDict(title="Approval")

    approval_id: str
    status: ApprovalStatus
    title: str
    message: str | None
    workflow_id: str
    workflow_name: str
    instance_id: str
    path: str
    approvers: ApproversView
    deadline: datetime | None
    default: Decision | None
    decided_by: str | None
    decided_at: datetime | None
    comment: str | None
    created_at: datetime


class ApprovalPage(Output):
    approvals: list[ApprovalView]
    pagination: Pagination
