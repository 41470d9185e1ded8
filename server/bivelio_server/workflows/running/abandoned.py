"""Letting go of what a step waited for, when the step is not to be finished."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from bivelio_server.kit.context import Context
from bivelio_server.workflows.approvals import asking
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.state import StepState

#: Called with the instance's id and the paths of the steps.
LetGo: TypeAlias = Callable[[Context, str, Sequence[str]], Awaitable[None]]
#: By the kind of step, as its record shows it.
_LET_GO: Final[Mapping[str, LetGo]] = {"approval": asking.close}


async def let_go(progress: Progress, steps: Iterable[StepState]) -> None:
    """In the open transaction."""
    by_kind: dict[str, list[str]] = {}
    for step in steps:
        if step.uses in _LET_GO:
            by_kind.setdefault(step.uses, []).append(step.path)
    for kind, paths in by_kind.items():
        await _LET_GO[kind](await progress.context(), progress.state.id, paths)
