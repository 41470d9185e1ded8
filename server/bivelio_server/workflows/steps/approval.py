"""`approval`: the run is given back until somebody decides, or the deadline does."""

from datetime import timedelta
from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.approvals import asking
from bivelio_server.workflows.approvals.models import Approval
from bivelio_server.workflows.definition import ApprovalStep
from bivelio_server.workflows.running.failures import OutOfTime
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState

_MAX_TITLE: Final = 1000
_MAX_MESSAGE: Final = 20_000
_MAX_USERS: Final = 100
_DEFAULT_ROLES: Final = ("owner", "admin")


async def perform(progress: Progress, step: ApprovalStep, state: StepState, scope: Scope) -> None:
    if state.prepared is None:
        approval = await _ask(progress, step, state, scope)
    else:
        approval = await asking.look(await progress.context(), state.prepared["approval_id"])
    if approval.status == "pending" and approval.deadline is not None and approval.deadline <= progress.now():
        approval = await _pass_deadline(progress, state, approval)
    if approval.status == "pending":
        await progress.sleep(state, approval.deadline, scope)
    if approval.status == "expired":
        raise OutOfTime
    state.attempts += 1
    progress.complete(state, _outcome(approval))


async def _ask(progress: Progress, step: ApprovalStep, state: StepState, scope: Scope) -> Approval:
    """Asked for and recorded as asked for in one transaction: so it is asked once."""
    given = await progress.render(step.approval.model_dump(), "approval", scope)
    question = _question(progress, state, given)
    context = await progress.acting_context(begins=True)
    progress.effect_of = state.path
    approval = await asking.ask(context, question)
    state.input = given
    state.prepared = state.output = {"approval_id": approval.id}
    progress.save(state)
    return approval


async def _pass_deadline(progress: Progress, state: StepState, approval: Approval) -> Approval:
    context = await progress.acting_context()
    progress.effect_of = state.path
    passed = await asking.pass_deadline(context, approval)
    if passed.status == "expired":
        await progress.commit()  # the failure that follows would undo it
    return passed


def _question(progress: Progress, state: StepState, given: dict[str, Any]) -> asking.Question:
    roles, users = given["approvers"]["roles"], _users(given["approvers"]["users"])
    seconds = given["deadline_seconds"]
    return asking.Question(
        instance_id=progress.state.id,
        workflow_id=progress.state.workflow_id,
        workflow_name=progress.state.workflow_name,
        path=state.path,
        title=_text(given["title"], "approval.title", _MAX_TITLE),
        message=None if given["message"] is None else _text(given["message"], "approval.message", _MAX_MESSAGE),
        roles=roles if roles or users else _DEFAULT_ROLES,
        users=users,
        deadline=None if seconds is None else state.started_at + timedelta(seconds=seconds),
        default=given["default"],
    )


def _users(given: list[Any]) -> list[str]:
    """Addresses; an expression may give several."""
    flat = [user for each in given for user in (each if isinstance(each, list) else [each])]
    if len(flat) > _MAX_USERS or not all(isinstance(user, str) for user in flat):
        raise Impossible(Problem("approval.approvers.users", "email", _NO_ADDRESSES))
    return flat


def _text(given: Any, field: str, longest: int) -> str:
    """What a person reads; an expression may give something else than a text."""
    text = given if isinstance(given, str) else json.dumps(given).decode()
    if len(text) > longest:
        raise Impossible(Problem(field, "max_length", _TOO_LONG.format(field=field, longest=longest)))
    return text


def _outcome(approval: Approval) -> dict[str, Any]:
    return {
        "decision": approval.status,
        "decided_by": approval.decided_by,
        "decided_at": approval.decided_at,
        "comment": approval.comment,
    }


_NO_ADDRESSES: Final = Text(
    f"'approval.approvers.users' debe dar direcciones de correo, {_MAX_USERS} como máximo.",
    f"'approval.approvers.users' must give e-mail addresses, {_MAX_USERS} at most.",
)
_TOO_LONG: Final = Text(
    "'{field}' admite como máximo {longest} caracteres.", "'{field}' takes at most {longest} characters."
)
