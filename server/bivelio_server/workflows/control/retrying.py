"""Retrying runs: the same run goes on, from where it ended or from a chosen step."""

from typing import Final, Literal

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import AlreadyRunning, Conflict
from bivelio_server.kit.text import Text
from bivelio_server.workflows.checking import check_rights
from bivelio_server.workflows.control import again, queries
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.executing import require_active
from bivelio_server.workflows.input_schema import check_input
from bivelio_server.workflows.instances import admit_next, require_depth, spawn_run
from bivelio_server.workflows.models import Instance, Workflow, WorkflowVersion
from bivelio_server.workflows.outputs import whole
from bivelio_server.workflows.queries import find_version, get_any, get_instance_locked, has_unfinished, hold_turn
from bivelio_server.workflows.versions import parse_definition

ChosenVersion = Literal["same", "newest"] | int


async def retry(context: Context, instance_id: str, from_step: str | None, version: ChosenVersion) -> None:
    """Raises NotFound; Conflict when the run goes on, or there is nothing to be tried again; AlreadyRunning;
    InsufficientScope; ValidationFailed."""
    require_depth(context)
    instance = await get_instance_locked(context, instance_id)
    _require_ended(instance, from_step)
    workflow = await get_any(context, instance.workflow_id)
    require_active(workflow)
    chosen = await find_version(context, workflow, _number(version, instance, workflow))
    definition = _definition(chosen)
    check_rights(definition, context.services.catalogue, context.caller)
    if chosen.activated_by is None:
        raise Conflict(_NEVER_ACTIVE.format(version=chosen.version))
    if is_other := chosen.version != instance.version:
        check_input(definition, await whole(context.services, instance, "input"))
    taken = await queries.taken(context, instance.id)
    do = again.plan(definition, taken, from_step, other_version=is_other)
    await _require_turn(context, workflow)
    # Nothing is refused from here on: the job that retries many goes on after a refusal.
    await queries.do_again(context, instance.id, instance.rounds + 1, do.replaced, do.reopened)
    instance.version, instance.total_steps = chosen.version, len(definition.steps)
    await _go_on(context, instance, workflow)


def _require_ended(instance: Instance, from_step: str | None) -> None:
    if instance.finished_at is None:
        raise Conflict(_GOES_ON, details={"status": instance.status})
    if instance.status == "completed" and from_step is None:
        raise Conflict(_COMPLETED, details={"status": instance.status, "field": "from_step"})


def _number(version: ChosenVersion, instance: Instance, workflow: Workflow) -> int:
    if version == "same":
        return instance.version
    return workflow.version if version == "newest" else version


def _definition(version: WorkflowVersion) -> Definition:
    key = (version.org_id, version.environment, version.workflow_id, version.version)
    return parse_definition(*key, version.definition)


async def _require_turn(context: Context, workflow: Workflow) -> None:
    if workflow.concurrency == "one":
        await hold_turn(context, workflow.id)
        if await has_unfinished(context, workflow.id):
            raise AlreadyRunning


async def _go_on(context: Context, instance: Instance, workflow: Workflow) -> None:
    """With a durable task of its own, or in line for one."""
    now, takes_turns = context.now, workflow.concurrency == "queue"
    instance.task_id = None if takes_turns else await spawn_run(context, instance.id)
    instance.queued_at = now if takes_turns else None
    instance.status, instance.current_step, instance.rounds = "running", 1, instance.rounds + 1
    instance.output = instance.output_ref = instance.error = None
    instance.finished_at = instance.paused_at = None
    instance.retried_at = instance.updated_at = now
    instance.depth = max(instance.depth, context.cause.depth)
    await context.session.flush()
    if takes_turns:
        await admit_next(context, workflow.id)


_GOES_ON: Final = Text(
    "La ejecución no ha terminado: cancélala antes de reintentarla.",
    "The run has not ended: cancel it before you retry it.",
)
_COMPLETED: Final = Text(
    "La ejecución terminó bien: indica en 'from_step' desde qué paso repetirla.",
    "The run has completed: give in 'from_step' the step from which to do it again.",
)
_NEVER_ACTIVE: Final = Text(
    "La versión {version} no se ha activado nunca: sus ejecuciones no tendrían permisos.",
    "Version {version} was never activated: its runs would have no rights.",
)
