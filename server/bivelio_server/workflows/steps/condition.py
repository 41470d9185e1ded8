"""`if` and `switch`: which branch the run takes."""

from collections.abc import Sequence
from typing import Any

from bivelio_server.workflows.definition import IfStep, Step, SwitchStep
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState


async def perform(progress: Progress, step: IfStep, state: StepState, scope: Scope) -> None:
    if state.prepared is None:
        answer = await progress.is_true(step.if_, "if", scope)
        _take(progress, state, {"if": step.if_}, "then" if answer else "else")
    await _follow(progress, step.then if state.prepared["branch"] == "then" else step.else_, state, scope)


async def perform_switch(progress: Progress, step: SwitchStep, state: StepState, scope: Scope) -> None:
    if state.prepared is None:
        value = await progress.render(step.switch, "switch", scope)
        _take(progress, state, {"switch": value}, _case_of(step, value))
    branch = state.prepared["branch"]
    await _follow(progress, step.default if branch == "default" else step.cases[branch].steps, state, scope)


def _case_of(step: SwitchStep, value: Any) -> int | str:
    for position, case in enumerate(step.cases):
        if _is_same(case.is_, value) or (isinstance(case.is_, list) and any(_is_same(one, value) for one in case.is_)):
            return position
    return "default"


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON is: `true` is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _take(progress: Progress, state: StepState, input_: Any, branch: int | str) -> None:
    state.attempts, state.input, state.prepared = state.attempts + 1, input_, {"branch": branch}
    progress.save(state)


async def _follow(progress: Progress, steps: Sequence[Step], state: StepState, scope: Scope) -> None:
    branch = state.prepared["branch"]
    await progress.walk(steps, scope)
    progress.complete(state, {"branch": branch})
