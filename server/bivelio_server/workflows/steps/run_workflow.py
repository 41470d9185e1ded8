"""`run_workflow`: another workflow's run, and unless told otherwise its end."""

from typing import Any, Final

from pydantic import ValidationError

from bivelio_server.kit.caller import Scope as Right
from bivelio_server.kit.context import Context
from bivelio_server.kit.door import insufficient_scope
from bivelio_server.kit.errors import AlreadyRunning, NotFound
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import validation_failed
from bivelio_server.workflows.control import queries
from bivelio_server.workflows.definition import RunWorkflowStep
from bivelio_server.workflows.executing import begin
from bivelio_server.workflows.running.failures import StepFailed
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState
from bivelio_server.workflows.schemas import WorkflowExecute


async def perform(progress: Progress, step: RunWorkflowStep, state: StepState, scope: Scope) -> None:
    """`prepared` names the run, which is started once: with the record of this step."""
    if state.prepared is None:
        await _start(progress, step, state, scope)
    instance_id = state.prepared["instance_id"]
    if not step.run_workflow.wait:
        progress.complete(state, {"instance_id": instance_id, "status": "running", "output": None})
        return
    child = await queries.outcome(await progress.context(), instance_id)
    if child is None:
        raise NotFound("run_workflow")
    if child.finished_at is None:
        await progress.sleep(state, None, scope)
    if child.status != "completed":
        raise StepFailed(state.path, _error(child, state))
    output = child.output if child.output_ref is None else progress.state.large.known(child.output_ref)
    progress.complete(state, {"instance_id": instance_id, "status": child.status, "output": output})


async def _start(progress: Progress, step: RunWorkflowStep, state: StepState, scope: Scope) -> None:
    """With the rights of the workflow of that run; this one must have the right to execute it, as anybody must."""
    other = step.run_workflow
    asked = {"workflow_id": other.workflow_id, "input": other.input}
    state.input = await progress.render(asked, "run_workflow", scope)
    try:
        data = WorkflowExecute.model_validate(state.input)
    except ValidationError as error:
        raise validation_failed(error, within="run_workflow") from None
    context = await progress.acting_context(begins=True)
    operation = context.services.catalogue.named("workflows.execute")
    if operation is not None and not context.caller.may(Right.write, "workflows"):
        raise insufficient_scope(operation)
    progress.effect_of = state.path
    parent = (progress.state.id, state.path)
    instance, _ = await begin(context, data.workflow_id, data.input, trigger_type="workflow", parent=parent)
    if other.wait and instance.queued_at is not None:
        await _require_end(context, instance.id, progress.state.id)
    state.attempts += 1
    state.prepared = {"instance_id": instance.id}
    progress.save(state)


async def _require_end(context: Context, child_id: str, parent_id: str) -> None:
    """Raises AlreadyRunning when the turn of the other run would only come after this one's end."""
    if await queries.waits_for(context, child_id, parent_id):
        raise AlreadyRunning(_NEVER)


def _error(child: Any, state: StepState) -> dict[str, Any]:
    """That of the other run, told as this step's."""
    error = child.error or {}
    within = {"instance_id": child.id, "step_id": error.get("step_id"), "path": error.get("path")}
    return {**error, "step_id": state.step_id, "path": state.path, "run": within}


_NEVER: Final = Text(
    "La otra ejecución esperaría su turno hasta que terminase esta, que la espera.",
    "The other run would wait for its turn until this one ends, which waits for it.",
)
