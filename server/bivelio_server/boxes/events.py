"""The events of boxes: what became of a file that was added or replaced."""

from datetime import UTC, datetime
from typing import Final

from bivelio_server.boxes.schemas import BoxFileView, FileError
from bivelio_server.events.definitions import EventDefinition
from bivelio_server.kit.models import Words
from bivelio_server.kit.text import Text

_AT: Final = datetime(2026, 4, 7, 12, 40, tzinfo=UTC)
_READY: Final = BoxFileView(
    id="file_t1u2v3w4",
    box_id="box_p1q2r3s4",
    document_id=None,
    file_name="manual.pdf",
    mime_type="application/pdf",
    size_bytes=245780,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    state="ready",
    searchable=True,
    progress=1.0,
    error=None,
    page_count=8,
    chunk_count=31,
    version=2,
    created_at=_AT,
    updated_at=_AT,
    ready_at=_AT,
    deleted_at=None,
)
_ENCRYPTED: Final = FileError(
    code="VALIDATION_ERROR",
    field="content_base64",
    constraint="encrypted",
    message=Words(es="El fichero está protegido con contraseña.", en="The file is protected by a password."),
)
FILE_READY: Final = EventDefinition(
    "box.file_ready",
    BoxFileView,
    Text("Ya se puede buscar en un fichero de una caja", "A file of a box can be searched now"),
    _READY,
)
FILE_FAILED: Final = EventDefinition(
    "box.file_failed",
    BoxFileView,
    Text("No se ha podido preparar un fichero de una caja", "A file of a box could not be prepared"),
    _READY.model_copy(
        update={"state": "failed", "searchable": False, "error": _ENCRYPTED, "page_count": None, "chunk_count": None,
                "ready_at": None}
    ),
)  # fmt: skip
EVENTS: Final = (FILE_READY, FILE_FAILED)
