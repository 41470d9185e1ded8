"""Rows of documents as they are shown."""

from datetime import timedelta
from typing import Final

from bivelio_server.documents.models import Document as DocumentRow
from bivelio_server.documents.schemas import Document, DocumentClassification, DocumentError
from bivelio_server.kit.context import Context
from bivelio_server.kit.links import Links

#: An address is handed on to viewers and to other services, so it lives long enough for these, and no longer.
LINKS: Final = Links("/v1/documents/files/{token}", "download of a document", timedelta(hours=1))


def document_view(context: Context, row: DocumentRow) -> Document:
    return Document(
        document_id=row.id,
        filename=row.filename,
        url=LINKS.address(context, row.id),
        size_bytes=row.bytes,
        mime_type=row.mime_type,
        folder=row.folder,
        tags=row.tags,
        classification=DocumentClassification.model_validate(row.classification) if row.classification else None,
        uploaded_at=row.created_at,
        sha256=row.sha256,
        status=row.status,  # type: ignore[arg-type] - checked by the table
        progress=row.progress,
        error=DocumentError.model_validate(row.error) if row.error else None,
        page_count=row.page_count,
        extraction_id=row.extraction_id,
        version=row.version,
        updated_at=row.updated_at,
        processed_at=row.processed_at,
        deleted_at=row.deleted_at,
    )
