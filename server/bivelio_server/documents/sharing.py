"""The file of a document, for other features to refer to it too. What they call."""

from dataclasses import dataclass
from typing import Any

from bivelio_server.documents import queries
from bivelio_server.kit.context import Context


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What a document is called, what it is, and where it is stored: `{key, bytes, sha256}`."""

    filename: str
    mime_type: str
    file: dict[str, Any]


async def stored_document(context: Context, document_id: str) -> StoredDocument:
    """It stays until the transaction ends. Raises NotFound."""
    row = await queries.get(context, document_id, lock=True)
    return StoredDocument(row.filename, row.mime_type, row.file)
