"""`for_each`: the steps once for each item of a list."""

from collections.abc import Sequence
from typing import Any, Final

from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import MAX_TURNS, ForEachStep
from bivelio_server.workflows.running.failures import Asleep
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.side_by_side import Job, Outcome
from bivelio_server.workflows.running.state import StepState


async def perform(progress: Progress, step: ForEachStep, state: StepState, scope: Scope) -> None:
    if state.prepared is None:
        items = await progress.render(step.for_each, "for_each", scope)
        _require_list(items)
        progress.state.large.take_room(state.path, items, "for_each")
        state.attempts, state.input, state.prepared = state.attempts + 1, {"items": len(items)}, {"items": items}
        progress.save(state)
    items = state.prepared["items"]
    may_fail = step.on_item_error == "continue"
    outcomes = await progress.side_by_side(
        [_pass(progress, step, index, item, scope) for index, item in enumerate(items)],
        places=step.concurrency,
        is_enough=lambda outcome: outcome.failure is not None and not may_fail,
    )
    _require_all(outcomes, may_fail=may_fail)
    results = [_result(outcome) for outcome in outcomes if outcome is not None]
    failed = sum(result["status"] == "failed" for result in results)
    progress.complete(state, {"results": results, "completed": len(results) - failed, "failed": failed})


def _require_list(items: Any) -> None:
    if not isinstance(items, list):
        raise Impossible(Problem("for_each", "array", _NO_LIST))
    if len(items) > MAX_TURNS:
        raise Impossible(Problem("for_each", "max_items", _TOO_LONG))


def _pass(progress: Progress, step: ForEachStep, index: int, item: Any, scope: Scope) -> Job:
    inner = scope.turn(step.id, index, **{step.as_: item})
    return lambda: progress.walk(step.steps, inner)


def _require_all(outcomes: Sequence[Outcome | None], *, may_fail: bool) -> None:
    asleep: Asleep | None = None
    for outcome in outcomes:
        if outcome is not None and outcome.failure is not None and not may_fail:
            raise outcome.failure
        if outcome is not None and outcome.asleep is not None:
            asleep = outcome.asleep.with_(asleep)
    if asleep is not None:
        raise asleep


def _result(outcome: Outcome) -> dict[str, Any]:
    if outcome.failure is not None:
        return {"status": "failed", "output": None, "error": outcome.failure.error}
    return {"status": "completed", "output": outcome.output, "error": None}


_NO_LIST: Final = Text("'for_each' debe dar una lista.", "'for_each' must give a list.")
_TOO_LONG: Final = Text(
    f"'for_each' recorre como máximo {MAX_TURNS} elementos.", f"'for_each' takes at most {MAX_TURNS} items."
)
