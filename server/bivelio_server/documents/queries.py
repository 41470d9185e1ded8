"""Every query on documents and extractions, each built from the caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, delete, func, literal, select

from bivelio_server.documents.extraction_schemas import ExtractionList
from bivelio_server.documents.models import Document, Extraction
from bivelio_server.documents.schemas import DocumentList
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.rows import TextArray, business, identity, only, page_of
from bivelio_server.kit.search import search_words

_NEWEST: Final = (Document.created_at.desc(), Document.id.desc())
_FIGURES: Final = """
    select document_type, source, count(*) as extractions, count(reviewed_at) as reviewed,
           count(*) filter (where review_status = 'corrected') as corrected,
           count(*) filter (where review_status = 'pending') as pending
      from extractions where org_id = %(org_id)s and environment = %(environment)s
     group by document_type, source order by extractions desc, document_type, source
"""
_CORRECTED: Final = r"""
    select document_type, source, regexp_replace(path, '\[\d+\]', '[]', 'g') as path, count(*) as corrections
      from extraction_corrections where org_id = %(org_id)s and environment = %(environment)s
     group by 1, 2, 3 order by corrections desc, path
"""


async def page(context: Context, data: DocumentList, *, deleted_after: datetime) -> tuple[list[Document], int]:
    """One page of documents, and how many there are in all; deleted ones if still restorable."""
    query = business(Document, context.caller).where(
        Document.deleted_at > deleted_after if data.deleted else Document.deleted_at.is_(None)
    )
    for word in search_words(data.search):
        query = query.where(Document.search_text.like(f"%{word}%"))
    if data.folder is not None:
        query = query.where(Document.folder == data.folder)
    if data.tags:
        query = query.where(Document.tags.op("@>")(literal(data.tags, TextArray)))
    if data.type is not None:
        query = query.where(Document.classification["type"].astext == data.type)
    if data.status is not None:
        query = query.where(Document.status == data.status)
    return await page_of(context.session, query.order_by(*_NEWEST), data)


async def folders(context: Context) -> Sequence[Any]:
    """Each folder with the number of its documents, by name; without a folder last."""
    query = (
        select(Document.folder, func.count().label("documents"))
        .where(
            Document.org_id == context.caller.org_id,
            Document.environment == context.caller.environment.value,
            Document.deleted_at.is_(None),
        )
        .group_by(Document.folder)
        .order_by(Document.folder)
    )
    return (await context.session.execute(query)).all()


async def get(context: Context, document_id: str, *, lock: bool = False, field: str = "document_id") -> Document:
    """A document that is not deleted. Raises NotFound, naming the input `field`."""
    query = _present(context.caller)
    return await only(context.session, query.with_for_update() if lock else query, document_id, field=field)


async def get_any(context: Context, document_id: str) -> Document:
    """A document, deleted or not, locked. Raises NotFound."""
    query = business(Document, context.caller).with_for_update()
    return await only(context.session, query, document_id, field="document_id")


async def get_deleted(context: Context, document_id: str, *, since: datetime) -> Document:
    """A document deleted after `since`, locked. Raises NotFound."""
    query = business(Document, context.caller).where(Document.deleted_at > since).with_for_update()
    return await only(context.session, query, document_id, field="document_id")


async def find_locked(session: Transaction, caller: Caller, document_id: str) -> Document | None:
    """A document, deleted or not, as it is now; None when it is gone."""
    query = business(Document, caller).where(Document.id == document_id).with_for_update()
    found: Document | None = await session.scalar(query.execution_options(populate_existing=True))
    return found


async def task_of(context: Context, document_id: str) -> UUID | None:
    """The task that processes it, if it was ever to be processed; not locked."""
    query = business(Document, context.caller).where(Document.id == document_id).with_only_columns(Document.task_id)
    found: UUID | None = await context.session.scalar(query)
    return found


async def remove(context: Context, document_id: str) -> None:
    """The row, and what was read out of it."""
    await context.session.execute(
        delete(Document).where(
            Document.org_id == context.caller.org_id,
            Document.environment == context.caller.environment.value,
            Document.id == document_id,
        )
    )


async def file_to_send(session: Transaction, key: dict[str, Any]) -> Any:
    """Name, type and place of the file of a document that is not deleted; None when there is none."""
    query = select(Document.filename, Document.mime_type, Document.file).where(
        Document.org_id == key["org_id"],
        Document.environment == key["environment"],
        Document.id == key["file_id"],
        Document.deleted_at.is_(None),
    )
    return (await session.execute(query)).first()


async def get_extraction(context: Context, extraction_id: str, *, lock: bool = False) -> Extraction:
    """Raises NotFound."""
    query = _extractions(context)
    return await only(
        context.session, query.with_for_update(of=Extraction) if lock else query, extraction_id, field="extraction_id"
    )


async def extractions(context: Context, data: ExtractionList) -> tuple[list[Extraction], int]:
    query = _extractions(context)
    for name in ("document_id", "document_type", "review_status"):
        value = getattr(data, name)
        if value is not None:
            query = query.where(getattr(Extraction, name) == value)
    return await page_of(context.session, query.order_by(Extraction.created_at.desc(), Extraction.id.desc()), data)


async def review_figures(context: Context) -> list[Any]:
    """How many extractions there are of each type and source, and what became of them."""
    return await context.session.run(_FIGURES, identity(context.caller))


async def corrected_fields(context: Context) -> list[Any]:
    """How often a value was put right, by type, source and path; whichever line it was."""
    return await context.session.run(_CORRECTED, identity(context.caller))


def _extractions(context: Context) -> Select[Extraction]:
    """Those of no document, and those whose document is not deleted."""
    deleted = (
        business(Document, context.caller)
        .where(Document.id == Extraction.document_id, Document.deleted_at.is_not(None))
        .exists()
    )
    return business(Extraction, context.caller).where(~deleted)


def _present(caller: Caller) -> Select[Document]:
    return business(Document, caller).where(Document.deleted_at.is_(None))
