"""What reading the fields of a document gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bivelio_server.reading.port import Box

Source: TypeAlias = Literal["xml", "text", "ocr", "model"]


@dataclass(frozen=True, slots=True)
class Field:
    """One value of `Extraction.extracted`, found by its `path` (`issuer.nif`, `line_items[0].quantity`).

    `value` is plain JSON (money and quantities as Decimal, dates as `YYYY-MM-DD`). `page` counts from 1; `page` and
    `box` are None where the value has no place on a page (XML, a text without pages).
    """

    path: str
    value: Any
    confidence: float
    page: int | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Extraction:
    """`extracted` holds every field that was asked for, unknown ones as None; `confidence` is that of the whole.

    `document_type` is what the document was read as, None where nobody said and it could not be told.
    """

    document_type: str | None
    confidence: float
    extracted: dict[str, Any]
    fields: Sequence[Field]
    source: Source


@dataclass(frozen=True, slots=True)
class Classification:
    """`label` is None where no category is likely enough; `confidence` is then that of the likeliest."""

    label: str | None
    confidence: float
    subcategory: str | None
    summary: str | None
    detected_language: str | None
