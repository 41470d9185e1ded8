"""Any operation as a step: the same handler as behind HTTP, with the workflow's rights."""

import copy
import hashlib
from typing import Any

from pydantic import ValidationError

from bivelio_server.durable import TooNew
from bivelio_server.kit.door import insufficient_scope
from bivelio_server.kit.errors import APIError, IntegrationFailed, NotFound
from bivelio_server.kit.execution import Outside, handle
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import InOneTransaction, Operation, ThroughOutside
from bivelio_server.kit.origin import Door
from bivelio_server.kit.validation import validation_failed
from bivelio_server.workflows.definition import OperationStep
from bivelio_server.workflows.running.failures import OutOfTime, TimedOut
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState


async def perform(progress: Progress, step: OperationStep, state: StepState, scope: Scope) -> None:
    operation = progress.services.catalogue.named(step.uses)
    if operation is None:
        raise TooNew  # it was there when the workflow was saved
    if Door.workflow not in operation.doors:
        raise NotFound("uses")
    if isinstance(operation.body, InOneTransaction):
        data = await _input(progress, operation, step, state, scope)
        await _in_one_transaction(progress, operation, operation.body, data, state)
        return
    outside = _outside(progress, operation, operation.body, state)
    if state.prepared is None:
        await _prepare(progress, outside, await _input(progress, operation, step, state, scope), state)
    elif operation.credits:
        await _prepare_again(progress, outside, state)
    await _through_outside(progress, outside, state, scope)


async def give_up(progress: Progress, step: OperationStep, state: StepState, error: APIError) -> None:
    """A call that was prepared is recorded as failed, and what was reserved for it is free again."""
    operation = progress.services.catalogue.named(step.uses)
    if state.prepared is None or operation is None or isinstance(operation.body, InOneTransaction):
        return
    outside = _outside(progress, operation, operation.body, state)
    context = await progress.acting_context()
    progress.effect_of = state.path
    await outside.record_failure(context, _prepared(outside, state), IntegrationFailed(error.text))
    await progress.commit()


def _outside(
    progress: Progress, operation: Operation, body: ThroughOutside[Any, Any, Any, Any], state: StepState
) -> Outside:
    """Known by run and path, so that whoever takes the run over repeats the same call with the same reservation."""
    key = progress.state.call_key(state.path)
    return Outside(operation, body, key, f"cr_{hashlib.sha256(key.encode()).hexdigest()[:26]}")


async def _input(
    progress: Progress, operation: Operation, step: OperationStep, state: StepState, scope: Scope
) -> Input:
    state.input = await progress.render(step.with_, "with", scope)
    versions, spoken = progress.services.catalogue.versions, progress.state.api_version
    given = state.input if spoken == versions.newest else copy.deepcopy(state.input)
    try:
        return operation.input.model_validate(versions.input_data(spoken, operation.name, given))
    except ValidationError as error:
        raise validation_failed(error, within="with") from None


async def _in_one_transaction(
    progress: Progress, operation: Operation, body: InOneTransaction[Any, Any], data: Input, state: StepState
) -> None:
    context = await progress.acting_context(begins=True)
    _require_right(context.caller.may(operation.scope, operation.resource), operation)
    progress.effect_of = state.path
    output = await handle(context, operation, body, data)
    state.attempts += 1
    _complete(progress, operation, output, state)


async def _prepare(progress: Progress, outside: Outside, data: Input, state: StepState) -> None:
    """What was prepared is recorded, so that after a crash the same call is made again, with the same key."""
    context = await progress.acting_context(begins=True)
    _require_right(context.caller.may(outside.operation.scope, outside.operation.resource), outside.operation)
    progress.effect_of = state.path
    state.prepared = (await outside.prepare(context, data)).model_dump(mode="json")
    progress.save(state)


async def _prepare_again(progress: Progress, outside: Outside, state: StepState) -> None:
    context = await progress.acting_context()
    progress.effect_of = state.path
    await outside.prepare_again(context)


async def _through_outside(progress: Progress, outside: Outside, state: StepState, scope: Scope) -> None:
    prepared = _prepared(outside, state)
    try:
        async with progress.away(scope):
            outcome = await outside.perform(progress.services, progress.state.caller, prepared)
    except (IntegrationFailed, TimedOut) as error:
        context = await progress.acting_context()
        progress.effect_of = state.path
        failed = error if isinstance(error, IntegrationFailed) else IntegrationFailed(OutOfTime.text)
        await outside.record_failure(context, prepared, failed)
        await progress.commit()
        raise
    await _record(progress, outside, state, prepared, outcome)


async def _record(progress: Progress, outside: Outside, state: StepState, prepared: Output, outcome: Any) -> None:
    """The call is paid for even if its record is refused."""
    try:
        context = await progress.acting_context()
        progress.effect_of = state.path
        output = await outside.record(context, prepared, outcome)
        _complete(progress, outside.operation, output, state)
    except APIError as error:
        await progress.undo(state, error)
        context = await progress.acting_context()
        progress.effect_of = state.path
        await outside.settle(context, outside.operation.credits)
        await progress.commit()
        raise
    state.attempts += 1


def _prepared(outside: Outside, state: StepState) -> Output:
    found: Output = outside.body.prepared.model_validate(state.prepared)
    return found


def _complete(progress: Progress, operation: Operation, output: Output, state: StepState) -> None:
    """The output as the version of the API shows it that the definition was written for."""
    versions, spoken = progress.services.catalogue.versions, progress.state.api_version
    progress.complete(state, versions.output_data(spoken, operation.name, output.model_dump()))


def _require_right(granted: bool, operation: Operation) -> None:
    if not granted:
        raise insufficient_scope(operation)
