"""Documents: upload, list, get, file away, delete."""

import asyncio
from typing import Final

from bivelio_server.documents import queries
from bivelio_server.documents.models import Document as DocumentRow
from bivelio_server.documents.queueing import MOST_CREDITS, is_under_way, queue
from bivelio_server.documents.schemas import (
    Document,
    DocumentErased,
    DocumentList,
    DocumentPage,
    DocumentProcess,
    DocumentReference,
    DocumentUpdate,
    DocumentUpload,
    FolderList,
    Folders,
    FolderSummary,
)
from bivelio_server.documents.uploading import MAX_BODY_BYTES, content_of
from bivelio_server.documents.views import document_view
from bivelio_server.durable import cancel as cancel_task
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import (
    Conflict,
    CreditsExhausted,
    Impossible,
    NotFound,
    Problem,
    StaleVersion,
    Unavailable,
    null_refused,
)
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.media_types import extension_of, media_type_of
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.rows import RESTORABLE, identity, require_version
from bivelio_server.kit.storage import StorageKey
from bivelio_server.kit.text import Text, fold

feature: Final = Feature("documents")


@feature.operation(
    "upload", scope=Scope.write, effect=Effect.transactional, errors=[Unavailable], credits=MOST_CREDITS,
    max_body_bytes=MAX_BODY_BYTES,
    summary=Text("Sube un documento y, si se pide, lo procesa", "Upload a document and process it if asked to"),
)  # fmt: skip
async def upload(context: Context, data: DocumentUpload) -> Document:
    content = await asyncio.to_thread(content_of, data, context.services.settings.document_bytes)
    media_type = await asyncio.to_thread(media_type_of, content, extension_of(data.filename))
    document_id, now = new_id("doc"), context.now
    key = StorageKey.of(context.caller.org_id, context.caller.environment.value, "documents", new_id("file"))
    stored = await context.services.storage.put(key, content)
    row = DocumentRow(
        **identity(context.caller), id=document_id, filename=data.filename, folder=data.folder, tags=data.tags,
        mime_type=media_type, bytes=stored.bytes, sha256=stored.sha256, file=stored.as_json(), status="uploaded",
        progress=0.0, classify=data.auto_classify, extract=data.auto_extract, search_text=fold(data.filename),
        depth=context.cause.depth, created_by=context.caller.actor, version=1,
        created_at=now, updated_at=now,
    )  # fmt: skip
    context.session.add(row)
    await context.session.flush()
    try:
        await queue(context, row, "documents.upload", classify=data.auto_classify, extract=data.auto_extract)
    except CreditsExhausted:
        await context.services.storage.delete([key])
        raise
    return document_view(context, row)


@feature.operation(
    "process", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, Conflict, Impossible],
    credits=MOST_CREDITS,
    summary=Text("Procesa un documento, otra vez si ya lo fue", "Process a document, again if it was before"),
)  # fmt: skip
async def process(context: Context, data: DocumentProcess) -> Document:
    row = await queries.get(context, data.document_id, lock=True)
    if is_under_way(row):
        raise Conflict(_UNDER_WAY, details={"field": "document_id"})
    classify = row.classify if data.auto_classify is None else data.auto_classify
    extract = row.extract if data.auto_extract is None else data.auto_extract
    if not classify and not extract:
        raise Impossible(Problem("auto_extract", "required", _NOTHING_TO_DO))
    row.status, row.progress, row.error, row.processed_at = "uploaded", 0.0, None, None
    row.classification = None if classify else row.classification
    row.depth = context.cause.depth
    row.version, row.updated_at = row.version + 1, context.now
    await queue(context, row, "documents.process", classify=classify, extract=extract)
    return document_view(context, row)


@feature.operation(
    "list", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista los documentos", "List the documents"),
)  # fmt: skip
async def list_documents(context: Context, data: DocumentList) -> DocumentPage:
    rows, total = await queries.page(context, data, deleted_after=context.now - RESTORABLE)
    shown = [document_view(context, row) for row in rows]
    return DocumentPage(documents=shown, pagination=Pagination.of(data, total))


@feature.operation(
    "list_folders", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista las carpetas, con cuántos documentos tienen", "List the folders, with how many documents"),
)  # fmt: skip
async def list_folders(context: Context, data: FolderList) -> Folders:  # noqa: ARG001 - it asks for nothing
    found = await queries.folders(context)
    return Folders(folders=[FolderSummary(folder=row.folder, documents=row.documents) for row in found])


@feature.operation(
    "get", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene un documento", "Get a document"),
)  # fmt: skip
async def get(context: Context, data: DocumentReference) -> Document:
    return document_view(context, await queries.get(context, data.document_id))


@feature.operation(
    "update", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, StaleVersion],
    summary=Text("Cambia el nombre, la carpeta o las etiquetas", "Change the name, the folder or the tags"),
)  # fmt: skip
async def update(context: Context, data: DocumentUpdate) -> Document:
    row = await queries.get(context, data.document_id, lock=True)
    require_version(row, data.if_version)
    given = data.model_dump(include=data.model_fields_set - {"document_id", "if_version"})
    missing = [name for name in ("filename", "tags") if name in given and given[name] is None]
    if missing:
        raise null_refused(*missing)
    changed = {name: value for name, value in given.items() if value != getattr(row, name)}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        row.search_text = fold(row.filename)
        row.version, row.updated_at = row.version + 1, context.now
        await context.session.flush()
    return document_view(context, row)


@feature.operation(
    "delete", scope=Scope.write, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Borra un documento; se puede restaurar durante 30 días", "Delete a document; restorable for 30 days"),
)  # fmt: skip
async def delete(context: Context, data: DocumentReference) -> Document:
    row = await queries.get(context, data.document_id, lock=True)
    row.deleted_at = context.now
    await context.session.flush()
    return document_view(context, row)


@feature.operation(
    "restore", scope=Scope.write, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Restaura un documento borrado", "Restore a deleted document"),
)  # fmt: skip
async def restore(context: Context, data: DocumentReference) -> Document:
    row = await queries.get_deleted(context, data.document_id, since=context.now - RESTORABLE)
    row.deleted_at = None
    row.version, row.updated_at = row.version + 1, context.now
    await context.session.flush()
    return document_view(context, row)


@feature.operation(
    "erase", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound], irreversible=True,
    summary=Text(
        "Borra un documento para siempre, con lo que se leyó de él",
        "Erase a document for good, with what was read out of it",
    ),
)  # fmt: skip
async def erase(context: Context, data: DocumentReference) -> DocumentErased:
    task_id = await queries.task_of(context, data.document_id)
    if task_id is not None:
        await cancel_task(context, task_id)
    row = await queries.get_any(context, data.document_id)
    if row.reservation_id is not None:
        await context.services.credits.refund(context, row.reservation_id)
    await queries.remove(context, row.id)
    context.changed("documents", row.id, {"erased": False}, {"erased": True})
    return DocumentErased(document_id=row.id, erased=True)


_UNDER_WAY: Final = Text(
    "El documento se está procesando; espera a que acabe.", "The document is being processed; wait for its end."
)
_NOTHING_TO_DO: Final = Text(
    "Indica en 'auto_classify' o 'auto_extract' qué hay que hacer: con la subida no se pidió nada.",
    "Say in 'auto_classify' or 'auto_extract' what is to be done: the upload asked for nothing.",
)
