"""The event of documents."""

from datetime import UTC, datetime
from typing import Final

from bivelio_server.documents.schemas import Document, DocumentClassification
from bivelio_server.events.definitions import EventDefinition
from bivelio_server.kit.text import Text

_AT: Final = datetime(2026, 4, 7, 12, 35, tzinfo=UTC)
_SAMPLE: Final = Document(
    document_id="doc_q5r6s7t8",
    filename="contrato_cliente_abc.pdf",
    url="https://storage.example.com/docs/contracts/contrato_cliente_abc.pdf",
    size_bytes=245780,
    mime_type="application/pdf",
    folder="contracts",
    tags=["cliente_abc", "2026"],
    classification=DocumentClassification(
        type="contract",
        confidence=0.89,
        subcategory="service_agreement",
        summary="Contrato de prestación de servicios entre dos partes por 12 meses.",
        detected_language="es",
        engine="pdfium",
    ),
    uploaded_at=_AT,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    status="processed",
    progress=1.0,
    error=None,
    page_count=8,
    extraction_id=None,
    version=2,
    updated_at=_AT,
    processed_at=_AT,
    deleted_at=None,
)
PROCESSED: Final = EventDefinition(
    "document.processed",
    Document,
    Text(
        "Se ha procesado un documento, o no se ha podido (`status`)",
        "A document has been processed, or could not be (`status`)",
    ),
    _SAMPLE,
)
EVENTS: Final = (PROCESSED,)
