"""What an extraction and a classification give."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bivelio_server.reading.port import Box

#: A JSON value: numbers are `int` or `Decimal`, dates are ISO 8601 texts.
Plain: TypeAlias = Any
Source: TypeAlias = Literal["xml", "text", "ocr", "model"]


@dataclass(frozen=True, slots=True)
class Field:
    """One value and where it stands. `path` is its place in `extracted`: `total`, `issuer.nif`,
    `line_items[0].quantity`. `page` and `box` are None where the file has no places."""

    path: str
    value: Plain
    confidence: float
    page: int | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Extraction:
    """`extracted` carries every field of the type (or of those asked for); what is not known is None there, and has no
    entry in `fields`. `confidence` is that of the type's key fields together, where a missing one counts as 0.
    `document_type` is None, and nothing else is known, where the type could not be told."""

    document_type: str | None
    confidence: float
    extracted: dict[str, Plain]
    fields: Sequence[Field]
    source: Source


@dataclass(frozen=True, slots=True)
class Classification:
    """`label` is None where no category is sure enough; `confidence` is then that of the likeliest."""

    label: str | None
    confidence: float
    subcategory: str | None = None
    summary: str | None = None
    detected_language: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
