"""Any operation as a step: the same handler as behind HTTP, with the workflow's rights."""

from typing import Any

from pydantic import ValidationError

from bivelio_server.kit import audit
from bivelio_server.kit.door import insufficient_scope
from bivelio_server.kit.errors import IntegrationFailed, NotFound
from bivelio_server.kit.execution import handle, outgoing_call, record
from bivelio_server.kit.models import Input
from bivelio_server.kit.operations import InOneTransaction, Operation, ThroughOutside
from bivelio_server.kit.origin import Door
from bivelio_server.kit.validation import validation_failed
from bivelio_server.workflows.definition import OperationStep
from bivelio_server.workflows.state import StepState
from bivelio_server.workflows.steps.progress import Progress
from bivelio_server.workflows.steps.pure import rendered


async def perform(progress: Progress, step: OperationStep, state: StepState) -> None:
    operation = progress.services.catalogue.named(step.uses)
    if operation is None or Door.workflow not in operation.doors:
        raise NotFound("uses")
    if isinstance(operation.body, InOneTransaction):
        await _in_one_transaction(progress, operation, operation.body, _input(progress, operation, step, state), state)
    else:
        if state.prepared is None:
            await _prepare(progress, operation, operation.body, _input(progress, operation, step, state), state)
        await _through_outside(progress, operation, operation.body, state)


def _input(progress: Progress, operation: Operation, step: OperationStep, state: StepState) -> Input:
    state.input = rendered(progress, step.with_, "with")
    try:
        return operation.input.model_validate(state.input)
    except ValidationError as error:
        raise validation_failed(error, within="with") from None


async def _in_one_transaction(
    progress: Progress, operation: Operation, body: InOneTransaction[Any, Any], data: Input, state: StepState
) -> None:
    context = await progress.acting_context()
    _require_right(context.caller.may(operation.scope, operation.resource), operation)
    progress.effect_of = state.step_id
    output = await handle(context, operation, body, data)
    state.attempts += 1
    progress.complete(state, output.model_dump())


async def _prepare(
    progress: Progress, operation: Operation, body: ThroughOutside[Any, Any, Any, Any], data: Input, state: StepState
) -> None:
    """What was prepared is recorded, so that after a crash the same call is made again, with the same key."""
    context = await progress.acting_context()
    _require_right(context.caller.may(operation.scope, operation.resource), operation)
    progress.effect_of = state.step_id
    state.prepared = (await body.prepare(context, data)).model_dump(mode="json")
    await audit.write(context, operation.name, complete=False)
    progress.save(state)


async def _through_outside(
    progress: Progress, operation: Operation, body: ThroughOutside[Any, Any, Any, Any], state: StepState
) -> None:
    await progress.commit()
    prepared = body.prepared.model_validate(state.prepared)
    try:
        outcome = await body.perform(outgoing_call(progress.services, f"{progress.state.id}:{state.step_id}"), prepared)
    except IntegrationFailed as error:
        context = await progress.acting_context()
        progress.effect_of = state.step_id
        await body.record_failure(context, prepared, error)
        await audit.write(context, operation.name)
        await progress.commit()
        raise
    context = await progress.acting_context()
    progress.effect_of = state.step_id
    output = await record(context, operation, body, prepared, outcome)
    state.attempts += 1
    progress.complete(state, output.model_dump())


def _require_right(granted: bool, operation: Operation) -> None:
    if not granted:
        raise insufficient_scope(operation)
