"""`stop`: the run ends here."""

from bivelio_server.workflows.definition import StopStep
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState


async def perform(progress: Progress, step: StopStep, state: StepState, scope: Scope) -> None:
    state.attempts, state.input = state.attempts + 1, step.stop.model_dump()
    progress.complete(state, await progress.render(step.stop.model_dump(), "stop", scope))
