"""What each kind of step does."""

from typing import assert_never

from bivelio_server.kit.errors import APIError
from bivelio_server.workflows.definition import (
    ApprovalStep,
    ForEachStep,
    HttpRequestStep,
    IfStep,
    OperationStep,
    ParallelStep,
    RunWorkflowStep,
    SetStep,
    Step,
    StopStep,
    SwitchStep,
    WaitForEventStep,
    WaitStep,
    WhileStep,
)
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState
from bivelio_server.workflows.steps import (
    approval,
    condition,
    for_each,
    http_request,
    operation,
    parallel,
    pure,
    repetition,
    run_workflow,
    stop,
    wait,
    wait_for_event,
)


async def perform(progress: Progress, step: Step, state: StepState, scope: Scope) -> None:  # noqa: C901, PLR0912 - one arm a kind
    """Until the step is completed. Raises what `Progress` says, and APIError or ExpressionError when it fails."""
    match step:
        case OperationStep():
            await operation.perform(progress, step, state, scope)
        case IfStep():
            await condition.perform(progress, step, state, scope)
        case SwitchStep():
            await condition.perform_switch(progress, step, state, scope)
        case ParallelStep():
            await parallel.perform(progress, step, state, scope)
        case ForEachStep():
            await for_each.perform(progress, step, state, scope)
        case WhileStep():
            await repetition.perform(progress, step, state, scope)
        case WaitStep():
            await wait.perform(progress, step, state, scope)
        case SetStep():
            await pure.perform(progress, step, state, scope)
        case StopStep():
            await stop.perform(progress, step, state, scope)
        case ApprovalStep():
            await approval.perform(progress, step, state, scope)
        case WaitForEventStep():
            await wait_for_event.perform(progress, step, state, scope)
        case RunWorkflowStep():
            await run_workflow.perform(progress, step, state, scope)
        case HttpRequestStep():
            await http_request.perform(progress, step, state, scope)
        case _:
            assert_never(step)


async def give_up(progress: Progress, step: Step, state: StepState, error: APIError) -> None:
    """The step fails with `error`, in the middle of what it did: let that be known to whom it concerns."""
    if isinstance(step, OperationStep):
        await operation.give_up(progress, step, state, error)
