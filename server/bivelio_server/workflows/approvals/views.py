"""Approvals as they are shown."""

from typing import cast

from bivelio_server.workflows.approvals.models import Approval
from bivelio_server.workflows.approvals.schemas import ApprovalStatus, ApprovalView, ApproversView, Decision


def view_of(approval: Approval, workflow_name: str) -> ApprovalView:
    return ApprovalView(
        approval_id=approval.id,
        status=cast("ApprovalStatus", approval.status),
        title=approval.title,
        message=approval.message,
        workflow_id=approval.workflow_id,
        workflow_name=workflow_name,
        instance_id=approval.instance_id,
        path=approval.path,
        approvers=ApproversView(roles=approval.approver_roles, users=approval.approver_users),
        deadline=approval.deadline,
        default=cast("Decision | None", approval.default_decision),
        decided_by=approval.decided_by,
        decided_at=approval.decided_at,
        comment=approval.comment,
        created_at=approval.created_at,
    )
