"""Workflows as documents: export one, import it elsewhere."""

from typing import Final

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import InsufficientScope, NotFound
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.workflows import queries
from bivelio_server.workflows.library.documents import (
    WorkflowDocument,
    WorkflowExport,
    WorkflowImport,
    document_of,
)
from bivelio_server.workflows.saving import save_new
from bivelio_server.workflows.schemas import WorkflowView
from bivelio_server.workflows.views import workflow_view

feature: Final = Feature("workflows")


@feature.operation(
    "export", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Exporta un workflow como documento JSON", "Export a workflow as a JSON document"),
)  # fmt: skip
async def export(context: Context, data: WorkflowExport) -> WorkflowDocument:
    workflow = await queries.get(context, data.id)
    number = workflow.version if data.version is None else data.version
    return document_of(await queries.find_version(context, workflow, number))


@feature.operation(
    "import", scope=Scope.admin, effect=Effect.transactional, errors=[InsufficientScope],
    summary=Text("Crea un workflow a partir de un documento exportado", "Create a workflow from an exported document"),
)  # fmt: skip
async def import_(context: Context, data: WorkflowImport) -> WorkflowView:
    saved = await save_new(context, data.document.content, status=data.status, note=data.note, within="document")
    return await workflow_view(context, *saved)
