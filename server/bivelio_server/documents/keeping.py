"""Keeping what was found out about a document, and telling of it."""

from dataclasses import asdict
from typing import Any

from bivelio_server.documents.events import PROCESSED
from bivelio_server.documents.models import Document, Extraction
from bivelio_server.documents.understanding import Sorted, Understood
from bivelio_server.documents.views import document_view
from bivelio_server.events.recording import record
from bivelio_server.kit.context import Context
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity


async def keep_extraction(
    context: Context, document: Document | None, url: str | None, understood: Understood, *, pages: int, cost: int
) -> Extraction:
    """The extraction, for a person to look at where it is not certain enough."""
    row = Extraction(
        **identity(context.caller), id=new_id("ext"), document_id=document.id if document else None, document_url=url,
        document_type=understood.document_type, confidence=round(understood.confidence, 4),
        extracted=understood.extracted, fields=[_field(field) for field in understood.fields],
        source=understood.source, engine=understood.engine,
        page_count=pages, credits_consumed=cost, corrections_count=0, created_by=context.caller.principal,
        review_status="pending" if _is_doubtful(context, understood) else "not_needed", created_at=context.now,
    )  # fmt: skip
    context.session.add(row)
    await context.session.flush()
    if document is not None:
        document.extraction_id, document.page_count = row.id, pages
    return row


def keep_classification(document: Document, found: Sorted, *, pages: int) -> None:
    said = asdict(found.classification)
    label = said.pop("label")
    document.classification = {"type": label, **said, "engine": found.engine}
    document.page_count = pages


async def change(context: Context, document: Document) -> None:
    """The document is another one by what was found out about it."""
    document.version, document.updated_at = document.version + 1, context.now
    await context.session.flush()


async def tell(context: Context, document: Document) -> None:
    """Its processing is over. Who asks for an extraction gets the reply instead: a workflow that the event has started
    and that extracts must not start itself."""
    if document.deleted_at is None:
        await record(context, PROCESSED, document_view(context, document))


def _field(field: Any) -> dict[str, Any]:
    return {
        "path": field.path,
        "value": field.value,
        "confidence": round(field.confidence, 4),
        "page": field.page,
        "box": None if field.box is None else [round(edge, 2) for edge in field.box],
    }


def _is_doubtful(context: Context, understood: Understood) -> bool:
    return understood.source != "xml" and understood.confidence < context.services.settings.review_below
