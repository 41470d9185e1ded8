"""`parallel`: named branches side by side, until all are done or the first is."""

from collections.abc import Mapping

from bivelio_server.workflows.definition import ParallelStep
from bivelio_server.workflows.running.failures import Asleep
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.side_by_side import Job, Outcome
from bivelio_server.workflows.running.state import StepState


async def perform(progress: Progress, step: ParallelStep, state: StepState, scope: Scope) -> None:
    if state.attempts == 0:
        state.attempts, state.input = 1, {"join": step.join, "branches": list(step.parallel)}
        progress.save(state)
    for_all = step.join == "all"
    outcomes = await progress.side_by_side(
        [_branch(progress, step, name, scope) for name in step.parallel],
        places=len(step.parallel),
        is_enough=_has_failed if for_all else _has_succeeded,
    )
    ended = dict(zip(step.parallel, outcomes, strict=True))
    first = None if for_all else _first(ended)
    if first is None:
        _require_all(ended, for_all=for_all)
    else:
        for name in set(step.parallel) - {first}:
            await progress.abandon(step.parallel[name], scope)
    outputs = {
        name: outcome.output if outcome is not None and first in (None, name) else None
        for name, outcome in ended.items()
    }
    progress.complete(state, {"branches": outputs, "first": first})


def _branch(progress: Progress, step: ParallelStep, name: str, scope: Scope) -> Job:
    return lambda: progress.walk(step.parallel[name], scope)


def _has_failed(outcome: Outcome) -> bool:
    return outcome.failure is not None


def _has_succeeded(outcome: Outcome) -> bool:
    return outcome.failure is None and outcome.asleep is None


def _first(ended: Mapping[str, Outcome | None]) -> str | None:
    return next((name for name, outcome in ended.items() if outcome is not None and _has_succeeded(outcome)), None)


def _require_all(ended: Mapping[str, Outcome | None], *, for_all: bool) -> None:
    """Raises what keeps the step from being done: a failed branch, or one that is asleep."""
    failures = [outcome.failure for outcome in ended.values() if outcome is not None and outcome.failure is not None]
    asleep: Asleep | None = None
    for outcome in ended.values():
        if outcome is not None and outcome.asleep is not None:
            asleep = outcome.asleep.with_(asleep)
    if failures and (for_all or asleep is None):
        raise failures[0]  # the others are told by their steps
    if asleep is not None:
        raise asleep
