"""`set`: named values, computed from the input and earlier steps."""

from typing import Any

from bivelio_server.workflows.definition import SetStep
from bivelio_server.workflows.expressions import render_value
from bivelio_server.workflows.state import StepState
from bivelio_server.workflows.steps.progress import Progress


def perform(progress: Progress, step: SetStep, state: StepState) -> None:
    state.attempts, state.input = state.attempts + 1, step.set
    progress.complete(state, rendered(progress, step.set, "set"))


def rendered(progress: Progress, value: Any, path: str) -> Any:
    return render_value(value, progress.variables(), path)
