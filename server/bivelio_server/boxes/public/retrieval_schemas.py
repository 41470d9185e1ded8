"""What the public API takes and gives, in the names of its own."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from bivelio_server.kit.models import Id, Input, Output, plain_text

MOST_SOURCES = 100
MOST_RESULTS = 100


def _number(value: object) -> object:
    """JSON's numbers arrive as int or Decimal."""
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


Sources = Annotated[
    list[Id],
    Field(min_length=1, max_length=MOST_SOURCES, examples=[["file_123", "file_456"]]),
    AfterValidator(lambda sources: list(dict.fromkeys(sources))),
]


class RetrieveDocuments(Input):
    """`sources` are the ids of the files to look in, all of them when left out. `neighbours` is how many chunks before
    and after each result come with it."""

    query: Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(plain_text)] = Field(
        examples=["What is machine learning?"]
    )
    sources: Sources | None = None
    top_k: int = Field(10, ge=1, le=MOST_RESULTS)
    min_score: Annotated[float, Field(ge=0, le=1), BeforeValidator(_number)] | None = None
    neighbours: int = Field(0, ge=0, le=5)


class RetrieveFullDocuments(Input):
    sources: Sources


class RetrievedChunk(Output):
    """A passage: characters `offsetFrom` up to, not including, `offsetTo` of the file's text, which is its pages joined
    by two line ends. `score` is from 0 to 1."""

    text: str
    score: float
    file_id: str = Field(serialization_alias="fileId")
    file_name: str = Field(serialization_alias="fileName")
    page_from: int = Field(serialization_alias="pageFrom")
    page_to: int = Field(serialization_alias="pageTo")
    offset_from: int = Field(serialization_alias="offsetFrom")
    offset_to: int = Field(serialization_alias="offsetTo")


class RetrievedAnswer(Output):
    """What was found for one query, the best first."""

    query: str
    documents: list[RetrievedChunk]


class UnitsUsed(Output):
    intelligence_units_consumed: int


class Retrieved(Output):
    """`documents` has one element, that of the query."""

    documents: list[RetrievedAnswer]
    usage: UnitsUsed


class RetrievedFullDocument(Output):
    file_id: str = Field(serialization_alias="fileId")
    file_name: str = Field(serialization_alias="fileName")
    pages: list[str]


class DocumentsUsed(UnitsUsed):
    documents_retrieved: int
    total_pages: int


class FullDocuments(Output):
    """`missing` are the sources that the box does not hold, or not yet."""

    documents: list[RetrievedFullDocument]
    missing: list[str]
    usage: DocumentsUsed


class KeyChecked(Output):
    message: str
