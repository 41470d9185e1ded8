"""`wait_for_event`: the run is given back until an event comes for which its condition is true."""

from bivelio_server.kit.errors import APIError
from bivelio_server.workflows.definition import WaitForEventStep
from bivelio_server.workflows.running.failures import TimedOut
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState
from bivelio_server.workflows.triggers import waits


async def perform(progress: Progress, step: WaitForEventStep, state: StepState, scope: Scope) -> None:
    if state.attempts == 0:
        state.attempts, state.input = 1, step.wait_for_event.model_dump(exclude_none=True)
    try:
        wait = await _wait(progress, step, state, scope)
        event = await waits.event_for(await progress.context(), wait, lambda: _used(progress, state))
        if event is None or state.status == "waiting":
            progress.effect_of = state.path
        if event is None:
            await progress.sleep(state, None, scope)
    except (APIError, TimedOut):
        await waits.let_go(await progress.context(), progress.state.id, [state.path])
        await progress.commit()  # the failure that follows would undo it
        raise
    progress.complete(state, event)


async def _wait(progress: Progress, step: WaitForEventStep, state: StepState, scope: Scope) -> waits.Wait:
    condition = step.wait_for_event.if_
    return waits.Wait(
        instance_id=progress.state.id,
        path=state.path,
        step_id=state.step_id,
        event=step.wait_for_event.event,
        api_version=progress.state.api_version,
        condition=condition,
        conventions=progress.state.conventions,
        variables=await progress.variables(condition or "", "wait_for_event.if", scope),
    )


async def _used(progress: Progress, state: StepState) -> set[str]:
    """In a loop each pass has an event of its own."""
    others = [each for each in progress.state.steps.values() if each.step_id == state.step_id]
    outputs = [await progress.state.large.whole(each.output) for each in others if each.status == "completed"]
    return {output["event_id"] for output in outputs}
