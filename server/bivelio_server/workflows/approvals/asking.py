"""A run's side of an approval: it asks, looks what was decided, and lets go of what it needs no more.

All of it is done in the run's fenced transactions. Whoever decides wakes the run first, which waits for such a
transaction to end: so what a run has seen there is still so when it goes to sleep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from bivelio_server.events.recording import record
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text
from bivelio_server.members.addressing import members_meant
from bivelio_server.notices.recording import remind
from bivelio_server.workflows.approvals import queries
from bivelio_server.workflows.approvals.events import DECIDED, REQUESTED
from bivelio_server.workflows.approvals.models import Approval
from bivelio_server.workflows.approvals.views import view_of

#: Woken when there is somebody to tell.
TOPIC: Final = "approvals"
_BY_DEFAULT: Final = {"approve": "approved", "reject": "rejected", None: "expired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be decided at `path` of a run, by whom, and by when."""

    instance_id: str
    workflow_id: str
    workflow_name: str
    path: str
    title: str
    message: str | None
    roles: Sequence[str]
    users: Sequence[str]
    deadline: datetime | None
    default: Literal["approve", "reject"] | None


async def ask(context: Context, question: Question) -> Approval:
    """A new approval, of which people are told. Raises Impossible when there is nobody to decide."""
    if not await members_meant(context, question.roles, question.users):
        raise Impossible(Problem("approval.approvers", "approvers", _NOBODY))
    row = {
        "id": new_id("apr"),
        "instance_id": question.instance_id,
        "workflow_id": question.workflow_id,
        "path": question.path,
        "title": question.title,
        "message": question.message,
        "approver_roles": list(question.roles),
        "approver_users": [user.lower() for user in question.users],
        "deadline": question.deadline,
        "default_decision": question.default,
        "created_at": context.now,
    }
    await queries.add(context, row)
    approval = Approval(**identity(context.caller), **row, status="pending")
    await record(context, REQUESTED, view_of(approval, question.workflow_name))
    await _remind(context, approval, question.workflow_name)
    context.wake(TOPIC)
    return approval


async def look(context: Context, approval_id: str) -> Approval:
    """As it is now. Raises NotFound."""
    return (await queries.get(context, approval_id)).approval


async def pass_deadline(context: Context, approval: Approval) -> Approval:
    """What becomes of it when nobody has decided by the deadline; as it is when somebody just has."""
    is_late = await queries.end(context, approval.id, _BY_DEFAULT[approval.default_decision])
    found = await queries.get(context, approval.id, lock=True)
    if is_late:
        await record(context, DECIDED, view_of(found.approval, found.workflow_name))
    return found.approval


async def close(context: Context, instance_id: str, paths: Sequence[str] | None = None) -> None:
    """Nobody needs to decide any more what the run asked at these paths, or at any."""
    await queries.cancel(context, instance_id, paths)


async def _remind(context: Context, approval: Approval, workflow_name: str) -> None:
    """One unread notice a workflow, however much of it waits."""
    caller = context.caller
    await remind(
        context.session, org_id=caller.org_id, environment=caller.environment, kind="approval.requested",
        resource_id=approval.workflow_id, text=_WAITING.format(workflow=_plain(workflow_name)),
        details={"workflow_id": approval.workflow_id, "approval_id": approval.id}, now=context.now,
    )  # fmt: skip


def _plain(name: str) -> str:
    """On one line, whatever somebody wrote."""
    return "".join(letter if letter.isprintable() else " " for letter in name)


_NOBODY: Final = Text(
    "Nadie podría decidir: ningún miembro tiene esos roles ni esas direcciones.",
    "Nobody could decide: no member has these roles or addresses.",
)
_WAITING: Final = Text(
    "El workflow «{workflow}» espera una decisión. Todas las pendientes están en workflows/list_approvals.",
    "The workflow “{workflow}” waits for a decision. All that are pending are in workflows/list_approvals.",
)
