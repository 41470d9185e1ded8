"""What is wrong with an `approval` step, seen when its workflow is saved."""

from collections.abc import Iterator
from typing import Final

from bivelio_server.kit.errors import Problem
from bivelio_server.kit.models import normal_email
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError
from bivelio_server.workflows.definition import ApprovalStep


def approval_problems(step: ApprovalStep, path: str) -> Iterator[Problem]:
    """`path` is that of the step."""
    approval = step.approval
    if approval.default is not None and approval.deadline_seconds is None:
        yield Problem(f"{path}.approval.deadline_seconds", "required", _NO_DEADLINE)
    for position, user in enumerate(approval.approvers.users):
        field = f"{path}.approval.approvers.users[{position}]"
        if "{{" not in user and (text := _refusal(user)) is not None:
            yield Problem(field, "email", text.format(field=field))


def _refusal(address: str) -> Text | None:
    try:
        normal_email(address)
    except FieldError as error:
        return error.text
    return None


_NO_DEADLINE: Final = Text(
    "'default' cuenta cuando vence el plazo: indica 'deadline_seconds'.",
    "'default' counts once the deadline is over: state 'deadline_seconds'.",
)
