"""An active workflow names only workflows that exist; a draft may be written before them."""

from itertools import islice
from typing import Final

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import MAX_PROBLEMS
from bivelio_server.workflows import queries
from bivelio_server.workflows.definition import Definition, RunWorkflowStep, walk


async def require_workflows(context: Context, definition: Definition, within: str = "") -> None:
    """Raises ValidationFailed with the place of each that does not exist; `within` is put before it."""
    named = [
        (path, step.run_workflow.workflow_id)
        for path, step in walk(definition)
        if isinstance(step, RunWorkflowStep) and "{{" not in step.run_workflow.workflow_id
    ]
    if not named:
        return
    known = await queries.present_among(context, {workflow_id for _, workflow_id in named})
    before = f"{within}." if within else ""
    problems = (
        Problem(f"{before}{path}.run_workflow.workflow_id", "reference", _UNKNOWN.format(id=workflow_id))
        for path, workflow_id in named
        if workflow_id not in known
    )
    found = list(islice(problems, MAX_PROBLEMS))
    if found:
        raise ValidationFailed(found)


_UNKNOWN: Final = Text("No hay ningún workflow '{id}'.", "There is no workflow '{id}'.")
