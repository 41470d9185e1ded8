"""Steering one run: cancel, pause, resume, retry, run again."""

from typing import Final

from bivelio_server.durable import wake
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import AlreadyRunning, Conflict, Impossible, InsufficientScope, NotFound
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.workflows.control import cancelling, queries, retrying
from bivelio_server.workflows.control.cancelling import require_open
from bivelio_server.workflows.control.schemas import InstanceCancel, InstanceRerun, InstanceRetry
from bivelio_server.workflows.executing import begin, require_active
from bivelio_server.workflows.outputs import whole
from bivelio_server.workflows.queries import get_any, get_instance, get_instance_locked
from bivelio_server.workflows.schemas import InstanceReference, InstanceSummary
from bivelio_server.workflows.views import instance_summary

feature: Final = Feature("workflows")


@feature.operation(
    "cancel_instance", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, Conflict],
    summary=Text("Cancela una ejecución, y las que espera", "Cancel a run, and those that it waits for"),
)  # fmt: skip
async def cancel_instance(context: Context, data: InstanceCancel) -> InstanceSummary:
    await cancelling.cancel(context, data.instance_id, data.reason)
    return await _summary(context, data.instance_id)


@feature.operation(
    "pause_instance", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, Conflict],
    summary=Text("Pausa una ejecución: termina el paso en curso", "Pause a run: the step under way ends"),
)  # fmt: skip
async def pause_instance(context: Context, data: InstanceReference) -> InstanceSummary:
    await queries.be_patient(context)
    instance = await get_instance_locked(context, data.instance_id)
    require_open(instance)
    if instance.paused_at is None:
        instance.paused_at = instance.updated_at = context.now
        instance.status = "paused"
        await context.session.flush()
    return await _summary(context, data.instance_id)


@feature.operation(
    "resume_instance", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, Conflict],
    summary=Text("Reanuda una ejecución en pausa", "Let a paused run go on"),
)  # fmt: skip
async def resume_instance(context: Context, data: InstanceReference) -> InstanceSummary:
    """Its task is woken first: a run locks its task before its row. Should it have begun meanwhile, that one too."""
    await queries.be_patient(context)
    known = await get_instance(context, data.instance_id)
    if known.task_id is not None:
        await wake(context, known.task_id)
    instance = await get_instance_locked(context, data.instance_id)
    require_open(instance)
    if instance.task_id not in (None, known.task_id):
        await wake(context, instance.task_id)
    if instance.paused_at is not None:
        instance.paused_at, instance.updated_at = None, context.now
        instance.status = "running"
        await context.session.flush()
    return await _summary(context, data.instance_id)


@feature.operation(
    "retry_instance", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound, Conflict, AlreadyRunning, InsufficientScope, Impossible],
    summary=Text("Reintenta una ejecución desde un paso", "Retry a run from one of its steps"),
)  # fmt: skip
async def retry_instance(context: Context, data: InstanceRetry) -> InstanceSummary:
    await retrying.retry(context, data.instance_id, data.from_step, data.version)
    return await _summary(context, data.instance_id)


@feature.operation(
    "rerun_instance", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound, Conflict, AlreadyRunning, InsufficientScope],
    summary=Text("Ejecuta otra vez un workflow con la misma entrada", "Run a workflow again with the same input"),
)  # fmt: skip
async def rerun_instance(context: Context, data: InstanceRerun) -> InstanceSummary:
    """Of the newest version."""
    repeated = await get_instance(context, data.instance_id)
    input_ = await whole(context.services, repeated, "input") if data.input is None else data.input
    require_active(await get_any(context, repeated.workflow_id))
    started, workflow = await begin(context, repeated.workflow_id, input_, trigger_type="retry", rerun_of=repeated.id)
    return instance_summary(started, workflow.name)


async def _summary(context: Context, instance_id: str) -> InstanceSummary:
    instance = await get_instance(context, instance_id)
    return instance_summary(instance, instance.workflow_name)
