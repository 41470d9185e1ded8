"""The files of a box: add, list, get, replace, delete, restore, erase, try again."""

from typing import Final

from bivelio_server.boxes import queries
from bivelio_server.boxes.access import get_box
from bivelio_server.boxes.beginning import begin, stop
from bivelio_server.boxes.contents import Content, drop, store
from bivelio_server.boxes.limits import MAX_FILES, TOO_MANY_FILES
from bivelio_server.boxes.models import BoxFile
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.boxes.schemas import (
    BoxFileErased,
    BoxFilePage,
    BoxFileView,
    FileAdd,
    FileList,
    FileReference,
    FileReplace,
)
from bivelio_server.boxes.views import file_view
from bivelio_server.documents.uploading import MAX_BODY_BYTES
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import APIError, Conflict, NotFound, Problem, StaleVersion, ValidationFailed
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.rows import RESTORABLE, identity, require_version
from bivelio_server.kit.text import Text

feature: Final = Feature("boxes")


@feature.operation(
    "add_file", path="/v1/boxes/files/add", action="add", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound, Conflict], max_body_bytes=MAX_BODY_BYTES,
    summary=Text("Añade un fichero a una caja", "Add a file to a box"),
)  # fmt: skip
async def add_file(context: Context, data: FileAdd) -> BoxFileView:
    await get_box(context, data.box_id, BoxRole.editor)
    if data.filename is None and data.document_id is None:
        raise ValidationFailed(Problem("filename", "required", _NO_NAME))
    content = await store(context, data)
    try:
        # Only now: a large file is not written while others wait to add theirs.
        await get_box(context, data.box_id, BoxRole.editor, lock=True)
        await _require_room(context, data.box_id)
    except APIError:
        await drop(context, content)
        raise
    row = _new_file(context, data, content)
    context.session.add(row)
    await begin(context, row)
    await context.session.flush()
    return file_view(row)


@feature.operation(
    "list_files", path="/v1/boxes/files/list", action="list", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Lista los ficheros de una caja y en qué estado están", "List a box's files and how far they are"),
)  # fmt: skip
async def list_files(context: Context, data: FileList) -> BoxFilePage:
    await get_box(context, data.box_id, BoxRole.viewer)
    rows, total = await queries.list_files(context, data, deleted_after=context.now - RESTORABLE)
    return BoxFilePage(files=[file_view(row) for row in rows], pagination=Pagination.of(data, total))


@feature.operation(
    "get_file", path="/v1/boxes/files/get", action="get", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene un fichero de una caja", "Get a file of a box"),
)  # fmt: skip
async def get_file(context: Context, data: FileReference) -> BoxFileView:
    await get_box(context, data.box_id, BoxRole.viewer)
    return file_view(await queries.get_file(context, data.box_id, data.file_id))


@feature.operation(
    "replace_file", path="/v1/boxes/files/replace", action="replace", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound, StaleVersion], max_body_bytes=MAX_BODY_BYTES,
    summary=Text("Cambia el contenido de un fichero de una caja", "Replace the content of a file of a box"),
)  # fmt: skip
async def replace_file(context: Context, data: FileReplace) -> BoxFileView:
    await _require_editable(context, data.box_id, data.file_id)
    content = await store(context, data)
    try:
        row = await _held(context, data.box_id, data.file_id)
        require_version(row, data.if_version)
    except APIError:
        await drop(context, content)
        raise
    row.file_name = data.filename or content.name or row.file_name
    for name, value in content.columns.items():
        setattr(row, name, value)
    row.revision, row.page_count, row.chunk_count = row.revision + 1, None, None
    await begin(context, row)
    return await _changed(context, row)


@feature.operation(
    "delete_file", path="/v1/boxes/files/delete", action="delete", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound],
    summary=Text(
        "Borra un fichero de una caja; se puede restaurar durante 30 días",
        "Delete a file of a box; restorable for 30 days",
    ),
)  # fmt: skip
async def delete_file(context: Context, data: FileReference) -> BoxFileView:
    await _require_editable(context, data.box_id, data.file_id)
    row = await _held(context, data.box_id, data.file_id)
    row.deleted_at = context.now
    await queries.bump(context, row.box_id)
    return file_view(row)


@feature.operation(
    "restore_file", path="/v1/boxes/files/restore", action="restore", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound, Conflict],
    summary=Text("Restaura un fichero borrado", "Restore a deleted file"),
)  # fmt: skip
async def restore_file(context: Context, data: FileReference) -> BoxFileView:
    await get_box(context, data.box_id, BoxRole.editor, lock=True)
    await _require_room(context, data.box_id)
    row = await queries.get_deleted_file(context, data.box_id, data.file_id, since=context.now - RESTORABLE)
    row.deleted_at = None
    await begin(context, *await queries.unfinished(context, row.box_id, row.id))
    shown = await _changed(context, row)
    await queries.bump(context, row.box_id)
    return shown


@feature.operation(
    "retry_file", path="/v1/boxes/files/retry", action="retry", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound, Conflict],
    summary=Text("Vuelve a leer un fichero que ha fallado", "Read a file that has failed again"),
)  # fmt: skip
async def retry_file(context: Context, data: FileReference) -> BoxFileView:
    await _require_editable(context, data.box_id, data.file_id)
    row = await _held(context, data.box_id, data.file_id)
    if row.state != "failed":
        raise Conflict(_NOT_FAILED, details={"field": "file_id"})
    await begin(context, row)
    return await _changed(context, row)


@feature.operation(
    "erase_file", path="/v1/boxes/files/erase", action="erase", scope=Scope.admin, effect=Effect.transactional,
    errors=[NotFound], irreversible=True,
    summary=Text(
        "Borra un fichero de una caja para siempre, con lo que se leyó de él",
        "Erase a file of a box for good, with what was read out of it",
    ),
)  # fmt: skip
async def erase_file(context: Context, data: FileReference) -> BoxFileErased:
    await get_box(context, data.box_id, BoxRole.admin)
    await stop(context, data.file_id)
    row = await queries.get_any_file(context, data.box_id, data.file_id)
    await queries.remove_file(context, row.id)
    await queries.bump(context, row.box_id)
    context.changed("box_files", row.id, {"erased": False}, {"erased": True})
    return BoxFileErased(id=row.id, erased=True)


async def _require_editable(context: Context, box_id: str, file_id: str) -> None:
    """Raises NotFound, InsufficientScope; before anything is stored or stopped."""
    await get_box(context, box_id, BoxRole.editor)
    await queries.get_file(context, box_id, file_id)


async def _held(context: Context, box_id: str, file_id: str) -> BoxFile:
    """The file, locked, and nothing being done with it."""
    await stop(context, file_id)
    return await queries.get_file(context, box_id, file_id, lock=True)


async def _require_room(context: Context, box_id: str) -> None:
    if await queries.count_files(context, box_id) >= MAX_FILES:
        raise Conflict(TOO_MANY_FILES, details={"field": "box_id", "maximum": MAX_FILES})


def _new_file(context: Context, data: FileAdd, content: Content) -> BoxFile:
    return BoxFile(
        **identity(context.caller), **content.columns, id=new_id("file"), box_id=data.box_id,
        file_name=data.filename or content.name, revision=1, created_by=context.caller.actor, version=1,
        created_at=context.now, updated_at=context.now,
    )  # fmt: skip


async def _changed(context: Context, row: BoxFile) -> BoxFileView:
    row.version, row.updated_at = row.version + 1, context.now
    await context.session.flush()
    return file_view(row)


_NO_NAME: Final = Text("Falta 'filename', el nombre del fichero.", "'filename' is missing: the name of the file.")
_NOT_FAILED: Final = Text(
    "Solo se vuelve a leer un fichero que ha fallado.", "Only a file that has failed is read again."
)
