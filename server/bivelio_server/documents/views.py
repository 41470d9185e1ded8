"""Rows of documents as they are shown."""

from datetime import timedelta
from typing import Final

from bivelio_server.documents.models import Document as DocumentRow
from bivelio_server.documents.schemas import Document
from bivelio_server.kit.context import Context
from bivelio_server.kit.links import Links

#: An address is handed on to viewers and to other services, so it lives long enough for these, and no longer.
LINKS: Final = Links("/v1/documents/files/{token}", "download of a document", timedelta(hours=1))


def document_view(context: Context, row: DocumentRow) -> Document:
    same = {name: getattr(row, name) for name in Document.model_fields.keys() - _OTHERWISE}
    found = row.classification
    return Document.model_validate(
        {
            **same,
            # One with the data of a person who was erased has lost its figures with them.
            "classification": found if found and found["confidence"] is not None else None,
            "document_id": row.id,
            "url": LINKS.address(context, row.id),
            "size_bytes": row.bytes,
            "uploaded_at": row.created_at,
        }
    )


_OTHERWISE: Final = frozenset({"classification", "document_id", "url", "size_bytes", "uploaded_at"})
