"""Versions of a workflow: look at what was saved, compare, bring back."""

from typing import Final

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import InsufficientScope, NotFound, StaleVersion
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.rows import require_version
from bivelio_server.kit.text import Text
from bivelio_server.workflows import queries
from bivelio_server.workflows.library.comparing import changed_settings, changed_steps, changed_trigger
from bivelio_server.workflows.library.schemas import (
    VersionComparison,
    VersionComparisonInput,
    VersionList,
    VersionPage,
    VersionReference,
    VersionRestore,
    VersionSummary,
    VersionView,
)
from bivelio_server.workflows.saving import content_of, save
from bivelio_server.workflows.schemas import WorkflowView
from bivelio_server.workflows.views import definition_fields, workflow_view

feature: Final = Feature("workflows")


@feature.operation(
    "list_versions", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Lista las versiones de un workflow", "List the versions of a workflow"),
)  # fmt: skip
async def list_versions(context: Context, data: VersionList) -> VersionPage:
    workflow = await queries.get(context, data.id)
    rows, total = await queries.list_versions(context, workflow, data)
    return VersionPage(
        versions=[VersionSummary.model_validate(row) for row in rows], pagination=Pagination.of(data, total)
    )


@feature.operation(
    "get_version", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene una versión de un workflow", "Get a version of a workflow"),
)  # fmt: skip
async def get_version(context: Context, data: VersionReference) -> VersionView:
    version = await queries.find_version(context, await queries.get(context, data.id), data.version)
    return VersionView(**VersionSummary.model_validate(version).model_dump(), **definition_fields(version))


@feature.operation(
    "compare_versions", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Compara dos versiones de un workflow", "Compare two versions of a workflow"),
)  # fmt: skip
async def compare_versions(context: Context, data: VersionComparisonInput) -> VersionComparison:
    workflow = await queries.get(context, data.id)
    to = workflow.version if data.to is None else data.to
    before = content_of(await queries.find_version(context, workflow, data.from_, field="from"))
    after = content_of(await queries.find_version(context, workflow, to, field="to"))
    return VersionComparison(
        workflow_id=workflow.id,
        from_=data.from_,
        to=to,
        identical=before.is_same_as(after),
        settings=changed_settings(before, after),
        trigger=changed_trigger(before, after),
        steps=changed_steps(before, after),
    )


@feature.operation(
    "restore_version", scope=Scope.admin, effect=Effect.transactional,
    errors=[NotFound, StaleVersion, InsufficientScope],
    summary=Text("Guarda una versión anterior como la nueva", "Save an earlier version as the new one"),
)  # fmt: skip
async def restore_version(context: Context, data: VersionRestore) -> WorkflowView:
    workflow = await queries.get(context, data.id, lock=True)
    require_version(workflow, data.if_version)
    newest = await queries.get_version(context, workflow)
    content = content_of(await queries.find_version(context, workflow, data.version))
    if data.note is None and content.is_same_as(content_of(newest)):
        return await workflow_view(context, workflow, newest)
    return await workflow_view(
        context, workflow, await save(context, workflow, content, note=data.note, restored_from=data.version)
    )
