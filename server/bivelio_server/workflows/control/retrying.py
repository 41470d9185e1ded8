"""Retrying runs: the same run goes on, from where it ended or from a chosen step."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from bivelio_server.durable import spawn_all
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import AlreadyRunning, APIError, Conflict, NotFound
from bivelio_server.kit.text import Text
from bivelio_server.workflows.checking import check_rights
from bivelio_server.workflows.control import again, queries
from bivelio_server.workflows.control.again import Again, Taken
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.executing import require_active
from bivelio_server.workflows.input_schema import check_input
from bivelio_server.workflows.instances import TASK, admit_next, require_depth, task_params
from bivelio_server.workflows.models import Instance, Workflow, WorkflowVersion
from bivelio_server.workflows.outputs import whole
from bivelio_server.workflows.queries import (
    find_version,
    get_any,
    get_instance_locked,
    get_instances_locked,
    has_unfinished,
    hold_turn,
)
from bivelio_server.workflows.versions import parse_definition

ChosenVersion = Literal["same", "newest"] | int


async def retry(context: Context, instance_id: str, from_step: str | None, version: ChosenVersion) -> None:
    """Raises NotFound; Conflict when the run goes on, or there is nothing to be tried again; AlreadyRunning;
    InsufficientScope; ValidationFailed."""
    instance = await get_instance_locked(context, instance_id)
    taken = await queries.taken(context, [instance_id])
    plan = await _Planning(context, version).plan(instance, taken[instance_id], from_step)
    await _go_on(context, [plan])


async def retry_many(context: Context, instance_ids: Sequence[str], version: ChosenVersion) -> dict[str, APIError]:
    """Retry each from where it ended, in as many statements as one run takes; those that are refused, with why."""
    instances = await get_instances_locked(context, instance_ids)
    taken = await queries.taken(context, list(instances))
    planning, plans = _Planning(context, version), list[_Plan]()
    refused: dict[str, APIError] = {}
    for instance_id in instance_ids:
        try:
            if instance_id not in instances:
                raise NotFound("instance_id")
            plans.append(await planning.plan(instances[instance_id], taken[instance_id]))
        except APIError as error:
            refused[instance_id] = error
    await _go_on(context, plans)
    return refused


class _Plan(NamedTuple):
    instance: Instance
    workflow: Workflow
    version: WorkflowVersion
    definition: Definition
    do: Again


class _Planning:
    """What runs do when they are retried, in one transaction: what many of them share is looked at once."""

    def __init__(self, context: Context, version: ChosenVersion) -> None:
        self._context = context
        self._version = version
        self._workflows: dict[str, Workflow] = {}
        self._versions: dict[tuple[str, int], tuple[WorkflowVersion, Definition]] = {}
        self._free: dict[str, bool] = {}

    async def plan(self, instance: Instance, taken: Sequence[Taken], from_step: str | None = None) -> _Plan:
        """Nothing is changed yet; raises what `retry` does. Who has a plan goes on: nobody else has its turn."""
        require_depth(self._context)
        _require_ended(instance, from_step)
        workflow = await self._workflow(instance.workflow_id)
        require_active(workflow)
        chosen, definition = await self._chosen(workflow, _number(self._version, instance, workflow))
        if is_other := chosen.version != instance.version:
            check_input(definition, await whole(self._context.services, instance, "input"))
        do = again.plan(definition, taken, from_step, other_version=is_other)
        await self._take_turn(workflow)
        return _Plan(instance, workflow, chosen, definition, do)

    async def _workflow(self, workflow_id: str) -> Workflow:
        if workflow_id not in self._workflows:
            self._workflows[workflow_id] = await get_any(self._context, workflow_id)
        return self._workflows[workflow_id]

    async def _chosen(self, workflow: Workflow, number: int) -> tuple[WorkflowVersion, Definition]:
        """A version that the caller may run."""
        key = workflow.id, number
        if key not in self._versions:
            version = await find_version(self._context, workflow, number)
            definition = _definition(version)
            check_rights(definition, self._context.services.catalogue, self._context.caller)
            if version.activated_by is None:
                raise Conflict(_NEVER_ACTIVE.format(version=version.version))
            self._versions[key] = version, definition
        return self._versions[key]

    async def _take_turn(self, workflow: Workflow) -> None:
        if workflow.concurrency != "one":
            return
        if workflow.id not in self._free:
            await hold_turn(self._context, workflow.id)
            self._free[workflow.id] = not await has_unfinished(self._context, workflow.id)
        if not self._free[workflow.id]:
            raise AlreadyRunning
        self._free[workflow.id] = False


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


async def _go_on(context: Context, plans: Sequence[_Plan]) -> None:
    """Each with a durable task of its own, or in line for one."""
    await queries.do_again(context, {plan.instance.id: (plan.instance.rounds + 1, plan.do) for plan in plans})
    beginning = [plan.instance for plan in plans if plan.workflow.concurrency != "queue"]
    tasks = await spawn_all(context, TASK, [task_params(instance.id) for instance in beginning])
    task_of = {instance.id: task for instance, task in zip(beginning, tasks, strict=True)}
    for plan in plans:
        instance, now = plan.instance, context.now
        instance.version, instance.total_steps = plan.version.version, len(plan.definition.steps)
        instance.task_id = task_of.get(instance.id)
        instance.queued_at = None if instance.task_id else now
        instance.status, instance.current_step, instance.rounds = "running", 1, instance.rounds + 1
        instance.output = instance.output_ref = instance.error = None
        instance.finished_at = instance.paused_at = None
        instance.retried_at = instance.updated_at = now
        instance.depth = max(instance.depth, context.cause.depth)
    await context.session.flush()
    for workflow_id in sorted({plan.workflow.id for plan in plans if plan.workflow.concurrency == "queue"}):
        await admit_next(context, workflow_id)


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
