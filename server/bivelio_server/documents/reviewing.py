"""Extractions as people see them: looking at them, approving them, putting them right."""

import re
from copy import deepcopy
from typing import Any, Final

from prometheus_client import Counter

from bivelio_server.documents import queries
from bivelio_server.documents.extraction_schemas import (
    Correction,
    ExtractionList,
    ExtractionPage,
    ExtractionReference,
    ExtractionView,
    ReviewedField,
    ReviewFigures,
    ReviewFiguresInput,
    ReviewFiguresView,
    ReviewInput,
)
from bivelio_server.documents.extraction_views import extraction_view
from bivelio_server.documents.models import Extraction, ExtractionCorrection
from bivelio_server.kit import json
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Impossible, NotFound, Problem
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text

feature: Final = Feature("documents")
_PART: Final = re.compile(r"([^.\[\]]+)|\[(\d{1,6})\]")
_PATH: Final = re.compile(r"[^.\[\]]+(\[\d{1,6}\]|\.[^.\[\]]+)*")

REVIEWED: Final = Counter(
    "bivelio_extractions_reviewed_total", "Extractions that people have looked at, by outcome.", ["outcome"]
)


@feature.operation(
    "get_extraction", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene una extracción", "Get an extraction"),
)  # fmt: skip
async def get_extraction(context: Context, data: ExtractionReference) -> ExtractionView:
    return extraction_view(await queries.get_extraction(context, data.extraction_id))


@feature.operation(
    "list_extractions", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text(
        "Lista las extracciones; las pendientes esperan a una persona",
        "List the extractions; those that are pending wait for a person",
    ),
)  # fmt: skip
async def list_extractions(context: Context, data: ExtractionList) -> ExtractionPage:
    if data.document_id is not None:
        await queries.get(context, data.document_id)
    rows, total = await queries.extractions(context, data)
    return ExtractionPage(extractions=[extraction_view(row) for row in rows], pagination=Pagination.of(data, total))


@feature.operation(
    "review", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, Impossible],
    summary=Text("Aprueba una extracción, o la corrige", "Approve an extraction, or put it right"),
)  # fmt: skip
async def review(context: Context, data: ReviewInput) -> ExtractionView:
    row = await queries.get_extraction(context, data.extraction_id, lock=True)
    present = deepcopy(row.corrected or row.extracted)
    count = 0
    for place, correction in enumerate(data.corrections):
        original = _replace(present, correction, f"corrections[{place}].path")
        if json.dumps(original) != json.dumps(correction.value):
            context.session.add(_correction(context, row, correction, original))
            count += 1
    if count:
        row.corrected, row.corrections_count = present, row.corrections_count + count
    row.review_status = "corrected" if row.corrected is not None else "approved"
    row.reviewed_by, row.reviewed_at = context.caller.principal, context.now
    await context.session.flush()
    REVIEWED.labels(row.review_status).inc()
    return extraction_view(row)


@feature.operation(
    "review_figures", scope=Scope.read, effect=Effect.read,
    summary=Text("Cuenta lo que se ha tenido que corregir", "Count what had to be put right"),
)  # fmt: skip
async def review_figures(context: Context, data: ReviewFiguresInput) -> ReviewFiguresView:  # noqa: ARG001 - it asks for nothing
    types = await queries.review_figures(context)
    fields = await queries.corrected_fields(context)
    return ReviewFiguresView(
        types=[
            ReviewFigures(
                **row._asdict(),
                fields=[
                    ReviewedField(path=field.path, corrections=field.corrections)
                    for field in fields
                    if (field.document_type, field.source) == (row.document_type, row.source)
                ],
            )
            for row in types
        ]
    )


def _replace(values: dict[str, Any], correction: Correction, field: str) -> Any:
    """Put the right value in its place; what stood there. Raises Impossible where there is no such place."""
    if not _PATH.fullmatch(correction.path):
        raise Impossible(Problem(field, "path", _NO_PLACE.format(field=field)))
    *way, last = [name or int(number) for name, number in _PART.findall(correction.path)]
    try:
        at: Any = values
        for part in way:
            at = at[part]
        original = at[last]
        at[last] = correction.value
    except (KeyError, IndexError, TypeError):
        raise Impossible(Problem(field, "path", _NO_PLACE.format(field=field))) from None
    return original


def _correction(context: Context, row: Extraction, correction: Correction, original: Any) -> ExtractionCorrection:
    confidence = next((field["confidence"] for field in row.fields if field["path"] == correction.path), None)
    return ExtractionCorrection(
        **identity(context.caller), id=new_id("corr"), extraction_id=row.id, document_type=row.document_type,
        source=row.source, path=correction.path, original=original, corrected=correction.value,
        confidence=confidence, corrected_by=context.caller.principal, created_at=context.now,
    )  # fmt: skip


_NO_PLACE: Final = Text(
    "El campo '{field}' debe nombrar un valor de 'extracted', como issuer.nif o line_items[0].quantity.",
    "The field '{field}' must name a value of 'extracted', such as issuer.nif or line_items[0].quantity.",
)
