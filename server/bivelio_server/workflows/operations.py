"""Workflows: define, activate, run, look at what ran."""

import asyncio
from dataclasses import replace
from typing import Final

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import (
    AlreadyRunning,
    Conflict,
    Impossible,
    InsufficientScope,
    NotFound,
    StaleVersion,
    null_refused,
)
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.origin import Door
from bivelio_server.kit.rows import RESTORABLE, require_version
from bivelio_server.kit.text import Text
from bivelio_server.workflows import instances, queries
from bivelio_server.workflows.checking import check_rights
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.executing import begin
from bivelio_server.workflows.models import Workflow, WorkflowVersion
from bivelio_server.workflows.outputs import Shown
from bivelio_server.workflows.requiring import require_workflows
from bivelio_server.workflows.saving import Content, content_of, freeze_rights, save, save_new, spoken_version
from bivelio_server.workflows.schemas import (
    InstanceList,
    InstancePage,
    InstanceReference,
    InstanceSummary,
    InstanceView,
    TriggerType,
    WorkflowCreate,
    WorkflowExecute,
    WorkflowList,
    WorkflowPage,
    WorkflowReference,
    WorkflowSummary,
    WorkflowUpdate,
    WorkflowView,
)
from bivelio_server.workflows.triggers.listening import listen
from bivelio_server.workflows.vault.requiring import require_secrets
from bivelio_server.workflows.views import instance_summary, instance_view, workflow_view

LONGEST_REPLY_SECONDS: Final = 60.0
#: Its end may have come before anybody listened for it.
_LOOK_AGAIN_SECONDS: Final = 1.0
_SETTINGS: Final = frozenset({"name", "description", "concurrency"})
_NOT_NULL: Final = frozenset({"name", "concurrency", "trigger", "steps", "on_error"})

feature: Final = Feature("workflows")


@feature.operation(
    "list", path="/v1/workflows", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista los workflows", "List the workflows"),
)  # fmt: skip
async def list_workflows(context: Context, data: WorkflowList) -> WorkflowPage:
    rows, total = await queries.list_workflows(context, data, deleted_after=context.now - RESTORABLE)
    return WorkflowPage(
        workflows=[WorkflowSummary.model_validate(row) for row in rows], pagination=Pagination.of(data, total)
    )


@feature.operation(
    "get", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene un workflow con su definición", "Get a workflow with its definition"),
)  # fmt: skip
async def get(context: Context, data: WorkflowReference) -> WorkflowView:
    workflow = await queries.get(context, data.id)
    return await workflow_view(context, workflow, await queries.get_version(context, workflow))


@feature.operation(
    "create", scope=Scope.admin, effect=Effect.transactional, errors=[InsufficientScope],
    summary=Text("Crea un workflow", "Create a workflow"),
)  # fmt: skip
async def create(context: Context, data: WorkflowCreate) -> WorkflowView:
    content = Content(
        name=data.name,
        description=data.description,
        concurrency=data.concurrency,
        definition=data.definition,
        api_version=spoken_version(context),
    )
    return await workflow_view(context, *await save_new(context, content, status=data.status, note=data.note))


@feature.operation(
    "update", scope=Scope.admin, effect=Effect.transactional,
    errors=[NotFound, StaleVersion, Impossible, InsufficientScope],
    summary=Text("Guarda una nueva versión de un workflow", "Save a new version of a workflow"),
)  # fmt: skip
async def update(context: Context, data: WorkflowUpdate) -> WorkflowView:
    workflow = await queries.get(context, data.id, lock=True)
    require_version(workflow, data.if_version)
    version = await queries.get_version(context, workflow)
    present = content_of(version)
    content = _changed(context, present, data)
    if data.note is None and content.is_same_as(present):
        return await workflow_view(context, workflow, version)
    return await workflow_view(context, workflow, await save(context, workflow, content, note=data.note))


@feature.operation(
    "activate", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound, InsufficientScope],
    summary=Text("Activa un workflow, con tus permisos de ahora", "Activate a workflow, with your present rights"),
)  # fmt: skip
async def activate(context: Context, data: WorkflowReference) -> WorkflowView:
    workflow = await queries.get(context, data.id, lock=True)
    version = await queries.get_version(context, workflow)
    definition = Definition.model_validate(version.definition)
    check_rights(definition, context.services.catalogue, context.caller)
    await require_secrets(context, definition)
    await require_workflows(context, definition)
    freeze_rights(context, version)
    return await _set_status(context, workflow, version, "active")


@feature.operation(
    "pause", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Pausa un workflow: no empieza nuevas ejecuciones", "Pause a workflow: it starts no new runs"),
)  # fmt: skip
async def pause(context: Context, data: WorkflowReference) -> WorkflowView:
    workflow = await queries.get(context, data.id, lock=True)
    return await _set_status(context, workflow, await queries.get_version(context, workflow), "paused")


@feature.operation(
    "delete", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Borra un workflow; lo que ya se ejecuta termina", "Delete a workflow; what already runs goes on"),
)  # fmt: skip
async def delete(context: Context, data: WorkflowReference) -> WorkflowView:
    workflow = await queries.get(context, data.id, lock=True)
    workflow.deleted_at = context.now
    return await _set_status(context, workflow, await queries.get_version(context, workflow), "paused")


@feature.operation(
    "restore", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Restaura un workflow borrado, en pausa", "Restore a deleted workflow, paused"),
)  # fmt: skip
async def restore(context: Context, data: WorkflowReference) -> WorkflowView:
    workflow = await queries.get_deleted(context, data.id, since=context.now - RESTORABLE)
    workflow.deleted_at = None
    return await _set_status(context, workflow, await queries.get_version(context, workflow), "paused")


@feature.operation(
    "execute", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound, Conflict, AlreadyRunning, InsufficientScope],
    summary=Text("Ejecuta un workflow", "Execute a workflow"),
)  # fmt: skip
async def execute(context: Context, data: WorkflowExecute) -> InstanceSummary:
    asker: TriggerType = "workflow" if context.origin.door is Door.workflow else "manual"
    awaited = not data.async_
    instance, workflow = await begin(context, data.workflow_id, data.input, awaited=awaited, trigger_type=asker)
    if awaited:
        context.reply_after_commit(lambda: _ended(context, instance.id))
    return instance_summary(instance, workflow.name)


@feature.operation(
    "list_instances", path="/v1/workflows/instances", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Lista las ejecuciones", "List the runs"),
)  # fmt: skip
async def list_instances(context: Context, data: InstanceList) -> InstancePage:
    rows, total = await queries.list_instances(context, data)
    return InstancePage(
        instances=[instance_summary(instance, name) for instance, name in rows], pagination=Pagination.of(data, total)
    )


@feature.operation(
    "get_instance", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene una ejecución con sus pasos", "Get a run with its steps"),
)  # fmt: skip
async def get_instance(context: Context, data: InstanceReference) -> InstanceView:
    return await instance_view(context, data.instance_id)


def _changed(context: Context, present: Content, data: WorkflowUpdate) -> Content:
    """What is there with what is given."""
    given = data.model_fields_set - {"id", "if_version", "note"}
    missing = sorted(name for name in given & _NOT_NULL if getattr(data, name) is None)
    if missing:
        raise null_refused(*missing)
    settings = {name: getattr(data, name) for name in given & _SETTINGS}
    parts = {name: getattr(data, name) for name in given - _SETTINGS}
    definition = present.definition.model_copy(update=parts)
    api_version = spoken_version(context) if "steps" in given else present.api_version
    return replace(present, **settings, definition=definition, api_version=api_version)


async def _set_status(context: Context, workflow: Workflow, version: WorkflowVersion, status: str) -> WorkflowView:
    workflow.status, workflow.updated_at = status, context.now
    await context.session.flush()
    await listen(context, workflow, Definition.model_validate(version.definition))
    return await workflow_view(context, workflow, version)


async def _ended(context: Context, instance_id: str) -> InstanceSummary:
    """The instance when it has ended, or as it is after the longest time that a reply may take."""
    topic = instances.finished_topic(instance_id)
    woken = context.services.wakeups.subscribe(topic)
    deadline = asyncio.get_running_loop().time() + LONGEST_REPLY_SECONDS
    try:
        pause = min(LONGEST_REPLY_SECONDS, _LOOK_AGAIN_SECONDS)
        while True:
            await _wait(woken, pause)
            woken.clear()
            async with transaction(context.caller, context.services, context.origin) as now:
                instance = await queries.get_instance(now, instance_id)
            left = deadline - asyncio.get_running_loop().time()
            if instance.finished_at is not None or left <= 0:
                return await Shown(context.services).complete(
                    instance_summary(instance, instance.workflow_name), instance
                )
            pause = min(left, _LOOK_AGAIN_SECONDS)
    finally:
        context.services.wakeups.unsubscribe(topic, woken)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
