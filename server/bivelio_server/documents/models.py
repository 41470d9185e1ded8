"""The tables of documents and of what was read out of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from bivelio_server.kit.rows import DERIVED, BusinessRow, Moment, Object, TextArray


class Document(BusinessRow):
    """An uploaded file. `file` says where it is stored; `classify` and `extract` are what its processing is to do, for
    credits set aside under `reservation_id`; `depth` counts the causes behind the upload."""

    __tablename__ = "documents"

    filename: Mapped[str] = mapped_column(Text)
    folder: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(TextArray)
    mime_type: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    file: Mapped[dict[str, Any]] = mapped_column(Object, info=DERIVED)
    status: Mapped[str] = mapped_column(Text)
    progress: Mapped[float] = mapped_column(info=DERIVED)
    classify: Mapped[bool]
    extract: Mapped[bool]
    error: Mapped[dict[str, Any] | None] = mapped_column(Object)
    page_count: Mapped[int | None]
    classification: Mapped[dict[str, Any] | None] = mapped_column(Object)
    extraction_id: Mapped[str | None] = mapped_column(Text)
    search_text: Mapped[str] = mapped_column(Text, info=DERIVED)
    task_id: Mapped[UUID | None] = mapped_column(info=DERIVED)
    reservation_id: Mapped[str | None] = mapped_column(Text, info=DERIVED)
    depth: Mapped[int] = mapped_column(info=DERIVED)
    created_by: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    processed_at: Mapped[datetime | None] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)


class Extraction(BusinessRow):
    """What was read out of a document, as it was read; what people made of it stands in `corrected`, beside it."""

    __tablename__ = "extractions"

    document_id: Mapped[str | None] = mapped_column(Text)
    document_url: Mapped[str | None] = mapped_column(Text)
    document_type: Mapped[str | None] = mapped_column(Text)
    confidence: Mapped[float]
    extracted: Mapped[dict[str, Any]] = mapped_column(Object)
    fields: Mapped[list[dict[str, Any]]] = mapped_column(Object, info=DERIVED)
    source: Mapped[str] = mapped_column(Text)
    engine: Mapped[str] = mapped_column(Text)
    page_count: Mapped[int]
    credits_consumed: Mapped[int]
    review_status: Mapped[str] = mapped_column(Text)
    corrected: Mapped[dict[str, Any] | None] = mapped_column(Object)
    corrections_count: Mapped[int]
    reviewed_by: Mapped[str | None] = mapped_column(Text)
    reviewed_at: Mapped[datetime | None] = mapped_column(Moment)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)


class ExtractionCorrection(BusinessRow):
    """One value that a person has put right."""

    __tablename__ = "extraction_corrections"

    extraction_id: Mapped[str] = mapped_column(Text)
    document_type: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    original: Mapped[Any] = mapped_column(Object)
    corrected: Mapped[Any] = mapped_column(Object)
    confidence: Mapped[float | None]
    corrected_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
