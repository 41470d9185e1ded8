"""What the public API takes and gives, in the names of its own."""

from typing import Annotated

from pydantic import AfterValidator, Field

from bivelio_server.boxes.search_schemas import MAX_NEIGHBOURS, MAX_RESULTS, MAX_SOURCES, Query
from bivelio_server.kit.models import Id, Input, Output

#: Whole files are read to memory and sent in one reply.
MOST_FILES = 100


def _each_once(sources: list[str]) -> list[str]:
    return list(dict.fromkeys(sources))


class RetrieveDocuments(Input):
    """`sources` are the ids of the files to look in, all of the box when left out. `neighbours` is how many chunks
    before and after each result come with it."""

    query: Query = Field(examples=["What is machine learning?"])
    sources: Annotated[list[Id], Field(min_length=1, max_length=MAX_SOURCES), AfterValidator(_each_once)] | None = (
        Field(None, examples=[["file_123", "file_456"]])
    )
    top_k: int = Field(10, ge=1, le=MAX_RESULTS)
    min_score: float | None = Field(None, ge=0, le=1)
    neighbours: int = Field(0, ge=0, le=MAX_NEIGHBOURS)


class RetrieveFullDocuments(Input):
    sources: Annotated[list[Id], Field(min_length=1, max_length=MOST_FILES), AfterValidator(_each_once)] = Field(
        examples=[["file_123", "file_456"]]
    )


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
