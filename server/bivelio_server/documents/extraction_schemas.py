"""What extracting, classifying and reviewing take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from bivelio_server.documents.source_schemas import Source, SourceInput
from bivelio_server.kit.models import FreeObject, Id, Input, Output, PageInput, Pagination

DocumentType = Literal["invoice", "receipt", "contract", "deed", "id_document", "payslip", "bank_statement"]
Language = Annotated[str, Field(pattern="^[a-z]{2}$")]
FieldName = Annotated[str, Field(min_length=1, max_length=60)]
Category = Annotated[str, Field(min_length=1, max_length=60)]
ReviewStatus = Literal["not_needed", "pending", "approved", "corrected"]


class DocumentExtract(SourceInput):
    """`fields` narrows what the type declares. A `json_schema` of your own takes the place of both; it needs a
    generative model."""

    document_type: DocumentType | None = Field(None, description="Found out when it is not given.")
    language: Language | None = Field(None, examples=["es"])
    fields: list[FieldName] | None = Field(
        None, min_length=1, max_length=50, examples=[["invoice_number", "date", "total", "line_items"]]
    )
    json_schema: FreeObject | None = None


class DocumentClassify(SourceInput):
    categories: Annotated[list[Category], Field(min_length=2, max_length=50)] | None = Field(
        None, examples=[["invoice", "contract", "deed", "receipt", "report", "other"]]
    )


class PreparedExtraction(Output):
    source: Source
    document_type: str | None
    language: str | None
    fields: list[str] | None
    json_schema: dict[str, Any] | None


class PreparedClassification(Output):
    source: Source
    categories: list[str] | None


class ExtractedField(Output):
    """A value of `extracted` by its path; `box` is x0, y0, x1, y1 in points from the upper left of the page."""

    path: str
    value: Any
    confidence: float
    page: int | None
    box: list[float] | None


class ExtractionView(Output):
    """`extracted` as it was read. `source` says which way: the document's own XML, its text, recognised characters, or
    a model. `corrected` is what a person made of it, null until then."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True, from_attributes=True)

    extraction_id: str
    document_type: str | None
    confidence: float
    extracted: dict[str, Any]
    credits_consumed: int
    processed_at: datetime
    document_id: str | None
    document_url: str | None
    fields: list[ExtractedField]
    source: Literal["xml", "text", "ocr", "model"]
    engine: str
    page_count: int
    needs_review: bool
    review_status: ReviewStatus
    corrected: dict[str, Any] | None
    corrections_count: int
    reviewed_by: str | None
    reviewed_at: datetime | None


class ClassificationView(Output):
    """`classification` is null where no category is likely enough; `confidence` is then that of the likeliest."""

    classification: str | None
    confidence: float
    subcategory: str | None
    summary: str | None
    detected_language: str | None
    page_count: int
    credits_consumed: int
    processed_at: datetime
    document_id: str | None
    engine: str


class ExtractionReference(Input):
    extraction_id: Id


class ExtractionList(PageInput):
    document_id: Id | None = None
    document_type: DocumentType | None = None
    review_status: ReviewStatus | None = Field(None, description="`pending` are those that wait for a person.")


class ExtractionPage(Output):
    extractions: list[ExtractionView]
    pagination: Pagination


class Correction(Input):
    """The right value for the one at `path`; null when the document does not say."""

    path: Annotated[str, Field(min_length=1, max_length=200, examples=["issuer.nif", "line_items[0].quantity"])]
    value: Any


class ReviewInput(ExtractionReference):
    """Without corrections everything is right as it was read."""

    corrections: list[Correction] = Field(default=[], max_length=500)


class ReviewFiguresInput(Input):
    """What people had to put right."""


class ReviewedField(Output):
    path: str
    corrections: int


class ReviewFigures(Output):
    """Of one type of document and one way of reading; `fields` names those that were wrong, the most often first."""

    document_type: str | None
    source: str
    extractions: int
    reviewed: int
    corrected: int
    pending: int
    fields: list[ReviewedField]


class ReviewFiguresView(Output):
    types: list[ReviewFigures]
