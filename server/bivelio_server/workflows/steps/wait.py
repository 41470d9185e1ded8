"""`wait`: the run is given back and holds nothing until its time has come."""

from datetime import timedelta

from bivelio_server.workflows.definition import WaitStep
from bivelio_server.workflows.state import StepState
from bivelio_server.workflows.steps.progress import Progress


async def perform(progress: Progress, step: WaitStep, state: StepState) -> None:
    now = progress.services.clock.now()
    until = state.started_at + timedelta(seconds=step.wait.seconds)
    if state.status != "waiting":
        state.status, state.attempts, state.input = "waiting", state.attempts + 1, step.wait.model_dump()
        state.output = {"until": until}
    if until > now:
        # Never for less than a second: the database's clock, ahead of ours, would wake it over and over.
        await progress.sleep(state, max(until, now + timedelta(seconds=1)))
    progress.complete(state, {"until": until})
