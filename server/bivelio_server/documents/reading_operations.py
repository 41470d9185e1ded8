"""Extracting and classifying: each reads one document, now."""

from dataclasses import dataclass
from typing import Final

from bivelio_server.ai.port import NeedsGenerativeModel
from bivelio_server.ai.usage import count, count_all
from bivelio_server.documents import queries, sources
from bivelio_server.documents.costs import CLASSIFY_CREDITS, EXTRACT_CREDITS
from bivelio_server.documents.extraction_schemas import (
    ClassificationView,
    DocumentClassify,
    DocumentExtract,
    ExtractionView,
    PreparedClassification,
    PreparedExtraction,
)
from bivelio_server.documents.extraction_views import extraction_view
from bivelio_server.documents.fields import field_names
from bivelio_server.documents.keeping import change, keep_classification, keep_extraction
from bivelio_server.documents.models import Document
from bivelio_server.documents.source_schemas import Source
from bivelio_server.documents.understanding import Sorted, Understood, Wanted, generative, sort, understand
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context, OutgoingCall
from bivelio_server.kit.errors import Impossible, IntegrationFailed, NotFound, Problem, Unavailable, ValidationFailed
from bivelio_server.kit.json_schema import schema_problems
from bivelio_server.kit.models import Output
from bivelio_server.kit.operations import Feature
from bivelio_server.kit.text import Text

feature: Final = Feature("documents")


@dataclass(frozen=True, slots=True)
class Extracted:
    understood: Understood
    pages: int


@dataclass(frozen=True, slots=True)
class Classified:
    found: Sorted
    pages: int


async def prepare_extraction(context: Context, data: DocumentExtract) -> PreparedExtraction:
    _check_wanted(context, data)
    source = await sources.find(context, data)
    return PreparedExtraction(
        source=source,
        document_type=data.document_type,
        language=data.language,
        fields=data.fields,
        json_schema=data.json_schema,
    )


async def perform_extraction(call: OutgoingCall, prepared: PreparedExtraction) -> Extracted:
    reading = await sources.read(call, prepared.source)
    wanted = Wanted(prepared.document_type, prepared.fields, prepared.language, prepared.json_schema)
    understood = await understand(call.services, call.caller, reading, wanted)
    if understood.document_type is None and wanted.json_schema is None:
        raise Impossible(Problem("document_type", "required", _UNTOLD))
    return Extracted(understood, reading.page_count)


async def record_extraction(context: Context, prepared: PreparedExtraction, outcome: Extracted) -> ExtractionView:
    await count_all(context, outcome.understood.calls)
    document = await _document(context, prepared.source)
    row = await keep_extraction(
        context, document, sources.shown_url(prepared.source), outcome.understood,
        pages=outcome.pages, cost=context.credits,
    )  # fmt: skip
    if document is not None:
        await change(context, document)
    return extraction_view(row)


async def prepare_classification(context: Context, data: DocumentClassify) -> PreparedClassification:
    return PreparedClassification(source=await sources.find(context, data), categories=data.categories)


async def perform_classification(call: OutgoingCall, prepared: PreparedClassification) -> Classified:
    reading = await sources.read(call, prepared.source)
    return Classified(await sort(call.services, call.caller, reading, prepared.categories), reading.page_count)


async def record_classification(
    context: Context, prepared: PreparedClassification, outcome: Classified
) -> ClassificationView:
    await count_all(context, outcome.found.calls)
    document = await _document(context, prepared.source)
    if document is not None:
        keep_classification(document, outcome.found, pages=outcome.pages)
        await change(context, document)
    found = outcome.found.classification
    return ClassificationView(
        classification=found.label,
        confidence=round(found.confidence, 4),
        subcategory=found.subcategory,
        summary=found.summary,
        detected_language=found.detected_language,
        page_count=outcome.pages,
        credits_consumed=context.credits,
        processed_at=context.now,
        document_id=prepared.source.document_id,
        engine=outcome.found.engine,
    )


async def record_failure(context: Context, prepared: Output, error: IntegrationFailed) -> None:  # noqa: ARG001 - the door's
    """Nothing is kept of the attempt but that a model was asked."""
    await count(context, error)


feature.external(
    "extract", scope=Scope.write, credits=EXTRACT_CREDITS, irreversible=False,
    errors=[NotFound, Impossible, NeedsGenerativeModel, Unavailable],
    prepare=prepare_extraction, perform=perform_extraction, record=record_extraction, record_failure=record_failure,
    summary=Text("Extrae los datos de un documento", "Extract the data of a document"),
)  # fmt: skip
feature.external(
    "classify", scope=Scope.write, credits=CLASSIFY_CREDITS, irreversible=False,
    errors=[NotFound, Impossible, Unavailable],
    prepare=prepare_classification, perform=perform_classification, record=record_classification,
    record_failure=record_failure,
    summary=Text("Dice de qué tipo es un documento", "Tell what kind of document it is"),
)  # fmt: skip


async def _document(context: Context, source: Source) -> Document | None:
    """The document that was read, as it is now. Raises NotFound when it was erased meanwhile."""
    if source.document_id is None:
        return None
    document = await queries.find_locked(context.session, context.caller, source.document_id)
    if document is None:
        raise NotFound(source.field)
    return document


def _check_wanted(context: Context, data: DocumentExtract) -> None:
    """Raises ValidationFailed, NeedsGenerativeModel."""
    if data.json_schema is not None:
        given = [name for name in ("document_type", "fields") if getattr(data, name) is not None]
        if given:
            raise ValidationFailed([Problem(name, "one_of", _OWN_SCHEMA.format(field=name)) for name in given])
        problems = schema_problems(data.json_schema, "json_schema")
        if problems or not isinstance(data.json_schema.get("properties"), dict):
            raise ValidationFailed(problems or Problem("json_schema.properties", "required", _NO_PROPERTIES))
        if generative(context.services, context.caller) is None:
            raise NeedsGenerativeModel
    if data.document_type is not None and data.fields is not None:
        known = field_names(data.document_type)
        wrong = [(place, name) for place, name in enumerate(data.fields) if name not in known]
        text = _UNKNOWN_FIELD.format(fields=", ".join(known))
        if wrong:
            raise ValidationFailed([Problem(f"fields[{place}]", "one_of", text) for place, _ in wrong])


_UNTOLD: Final = Text(
    "No se ha podido saber de qué tipo es el documento: indica 'document_type'.",
    "It could not be told of what type the document is: give 'document_type'.",
)
_OWN_SCHEMA: Final = Text(
    "Con 'json_schema' no se indica '{field}': dilo en el esquema.",
    "With 'json_schema' there is no '{field}': say it in the schema.",
)
_NO_PROPERTIES: Final = Text(
    "El esquema debe nombrar los campos que se buscan, en 'properties'.",
    "The schema must name the fields to look for, in 'properties'.",
)
_UNKNOWN_FIELD: Final = Text(
    "Los campos de este tipo de documento son: {fields}.", "The fields of this type of document are: {fields}."
)
