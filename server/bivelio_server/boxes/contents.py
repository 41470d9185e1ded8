"""What a file of a box holds: what was uploaded with the request, or a document that is there."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from bivelio_server.boxes.schemas import FileAdd, FileReplace
from bivelio_server.documents.sharing import stored_document
from bivelio_server.documents.uploading import content_of
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import InsufficientScope, Problem, ValidationFailed
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.media_types import media_type_of
from bivelio_server.kit.storage import StorageKey
from bivelio_server.kit.text import Text


@dataclass(frozen=True, slots=True)
class Content:
    """`columns` are those of the row that hold it; `name` what the file is called by itself; `key` is that of a stored
    file that is new, to be removed again where nothing comes to refer to it."""

    columns: dict[str, Any]
    name: str | None
    key: StorageKey | None


async def store(context: Context, data: FileAdd | FileReplace) -> Content:
    """Raises ValidationFailed, BodyTooLarge, NotFound, InsufficientScope."""
    if data.document_id is not None:
        if data.content_base64 is not None:
            raise ValidationFailed(Problem("document_id", "one_of", _ONE_OF))
        return await _shared(context, data.document_id)
    content = await asyncio.to_thread(content_of, data, context.services.settings.document_bytes)
    media_type = await asyncio.to_thread(media_type_of, content)
    key = StorageKey.of(context.caller.org_id, context.caller.environment.value, "boxes", new_id("file"))
    stored = await context.services.storage.put(key, content)
    columns = {
        "document_id": None, "mime_type": media_type, "bytes": stored.bytes, "sha256": stored.sha256,
        "file": stored.as_json(),
    }  # fmt: skip
    return Content(columns, None, key)


async def drop(context: Context, content: Content) -> None:
    """Nothing has come to refer to it."""
    if content.key is not None:
        await context.services.storage.delete([content.key])


async def _shared(context: Context, document_id: str) -> Content:
    """Whoever may only write in boxes does not read documents by way of them."""
    if not context.caller.may(Scope.read, "documents"):
        raise InsufficientScope(_NO_DOCUMENTS, details={"field": "document_id", "required": "documents:read"})
    found = await stored_document(context, document_id)
    columns = {
        "document_id": document_id, "mime_type": found.mime_type, "bytes": found.file["bytes"],
        "sha256": found.file["sha256"], "file": found.file,
    }  # fmt: skip
    return Content(columns, found.filename, None)


_ONE_OF: Final = Text(
    "Envía un fichero o indica 'document_id', no ambas cosas.", "Send a file or give 'document_id', not both."
)
_NO_DOCUMENTS: Final = Text("La credencial no puede leer documentos.", "The credential may not read documents.")
