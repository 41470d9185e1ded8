"""`set`: named values, computed from the input and earlier steps."""

from bivelio_server.workflows.definition import SetStep
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState


async def perform(progress: Progress, step: SetStep, state: StepState, scope: Scope) -> None:
    state.attempts, state.input = state.attempts + 1, step.set
    progress.complete(state, await progress.render(step.set, "set", scope))
