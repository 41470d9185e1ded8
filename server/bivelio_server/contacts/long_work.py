"""The operations on many contacts, each of which starts a job; and the history that tells what they changed."""

import asyncio
from typing import Any, Final

from bivelio_server.contacts import queries, sets
from bivelio_server.contacts.bulk import DELETE, TAG
from bivelio_server.contacts.erasing import KIND as ERASE
from bivelio_server.contacts.exporting import KIND as EXPORT
from bivelio_server.contacts.importing import KIND as IMPORT
from bivelio_server.contacts.operations import feature, restorable_since
from bivelio_server.contacts.schemas import (
    ContactBulkDelete,
    ContactBulkTag,
    ContactExport,
    ContactFilter,
    ContactHistory,
    ContactImport,
    ContactList,
    ContactReference,
    ContactSelection,
    FieldChange,
    HistoryEntry,
    HistoryPage,
)
from bivelio_server.contacts.uploading import MAX_FILE_BYTES, read_upload
from bivelio_server.jobs.kinds import JobKind
from bivelio_server.jobs.schemas import JobStarted
from bivelio_server.jobs.starting import start
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound, Problem, ValidationFailed
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect
from bivelio_server.kit.text import Text

KINDS: Final[tuple[JobKind, ...]] = (IMPORT, EXPORT, TAG, DELETE, ERASE)
#: The largest file in base64, and its envelope.
_MAX_IMPORT_BODY: Final = MAX_FILE_BYTES * 4 // 3 + 1_048_576


@feature.operation(
    "import", scope=Scope.write, effect=Effect.job, max_body_bytes=_MAX_IMPORT_BODY,
    summary=Text("Importa contactos de un fichero CSV", "Import contacts from a CSV file"),
)  # fmt: skip
async def import_contacts(context: Context, data: ContactImport) -> JobStarted:
    upload = await asyncio.to_thread(read_upload, data)
    params = {
        "columns": [(column.place, column.field) for column in upload.columns],
        "mapping": upload.mapping(),
        "pieces": len(upload.pieces),
        **data.model_dump(include={"match", "on_conflict", "tags", "dry_run", "events"}),
    }
    counts = {"total": upload.rows, "rows": 0, "created": 0, "updated": 0, "unchanged": 0, "skipped": 0, "failed": 0}
    return await start(context, "contacts.import", params, counts=counts, input_pieces=upload.pieces)


@feature.operation(
    "export", scope=Scope.read, effect=Effect.job, errors=[NotFound],
    summary=Text("Exporta contactos a un fichero CSV o JSON", "Export contacts to a CSV or JSON file"),
)  # fmt: skip
async def export(context: Context, data: ContactExport) -> JobStarted:
    params = data.model_dump()
    total = await _expected(context, data, deleted=data.deleted)
    return await start(context, "contacts.export", params, counts={"total": total, "rows": 0})


@feature.operation(
    "bulk_tag", scope=Scope.write, effect=Effect.job, errors=[NotFound],
    summary=Text("Añade y quita etiquetas a muchos contactos", "Add and remove tags of many contacts"),
)  # fmt: skip
async def bulk_tag(context: Context, data: ContactBulkTag) -> JobStarted:
    if not data.add and not data.remove:
        raise ValidationFailed(Problem("add", "required", _NO_TAGS))
    params = {**await _selected(context, data), **data.model_dump(include={"add", "remove", "events"})}
    counts = {"total": params["expected"], "contacts": 0, "updated": 0, "unchanged": 0, "failed": 0}
    return await start(context, "contacts.bulk_tag", params, counts=counts)


@feature.operation(
    "bulk_delete", scope=Scope.write, effect=Effect.job, errors=[NotFound], irreversible=False,
    summary=Text(
        "Borra muchos contactos; se pueden restaurar durante 30 días", "Delete many contacts; restorable for 30 days"
    ),
)  # fmt: skip
async def bulk_delete(context: Context, data: ContactBulkDelete) -> JobStarted:
    params = await _selected(context, data)
    counts = {"total": params["expected"], "contacts": 0, "deleted": 0}
    return await start(context, "contacts.bulk_delete", params, counts=counts)


@feature.operation(
    "erase", scope=Scope.admin, effect=Effect.job, errors=[NotFound], irreversible=True,
    summary=Text(
        "Borra a una persona para siempre y de todas partes", "Erase a person everywhere and for good"
    ),
)  # fmt: skip
async def erase(context: Context, data: ContactReference) -> JobStarted:
    await queries.get_any(context, data.id)
    return await start(context, "contacts.erase", {"id": data.id}, counts={"rows": 0, "files": 0})


@feature.operation(
    "history", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Quién cambió qué campo de un contacto, y cuándo", "Who changed which field of a contact, and when"),
)  # fmt: skip
async def history(context: Context, data: ContactHistory) -> HistoryPage:
    await queries.get_any(context, data.id)
    rows, total = await queries.history(context, data)
    return HistoryPage(entries=[_entry(row) for row in rows], pagination=Pagination.of(data, total))


async def _selected(context: Context, data: ContactSelection) -> dict[str, Any]:
    """Which contacts, and how many. Raises NotFound for an id that is nobody's, ValidationFailed for no choice."""
    if (data.ids is None) == (data.filter is None):
        raise ValidationFailed(Problem("ids", "one_of", _EITHER))
    if data.filter is not None:
        return {
            "ids": None,
            "filter": data.filter.model_dump(),
            "expected": await _expected(context, data.filter, within="filter."),
        }
    ids = list(dict.fromkeys(data.ids or ()))
    known = await sets.existing(context, ids)
    for place, contact_id in enumerate(data.ids or ()):
        if contact_id not in known:
            raise NotFound(f"ids[{place}]")
    return {"ids": ids, "filter": None, "expected": len(ids)}


async def _expected(context: Context, data: ContactFilter, *, within: str = "", deleted: bool = False) -> int:
    """How many contacts the filter finds now. Raises NotFound for a company that there is not."""
    if data.company_id is not None:
        await queries.get(context, data.company_id, field=f"{within}company_id")
    filters = ContactList(**data.model_dump(exclude={"format", "delimiter", "deleted"}), deleted=deleted, per_page=1)
    _, total = await queries.list_contacts(context, filters, deleted_after=restorable_since(context))
    return total


def _entry(row: Any) -> HistoryEntry:
    before, after = row.before or {}, row.after or {}
    fields = [name for name in {**before, **after} if name not in _NOT_CHANGES]
    return HistoryEntry(
        at=row.at,
        operation=row.operation,
        actor=row.actor,
        on_behalf_of=row.on_behalf_of,
        changes=[FieldChange(field=name, before=before.get(name), after=after.get(name)) for name in fields],
        version=row.version,
    )


#: What every change brings with it.
_NOT_CHANGES: Final = frozenset({"id", "version", "created_at", "updated_at"})
_EITHER: Final = Text("Indica 'ids' o 'filter', uno de los dos.", "Give 'ids' or 'filter', one of them.")
_NO_TAGS: Final = Text("Indica etiquetas en 'add' o en 'remove'.", "Give tags in 'add' or in 'remove'.")
