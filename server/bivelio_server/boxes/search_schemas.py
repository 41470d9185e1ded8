"""What a search in a box takes and gives."""

from typing import Annotated, Final

from pydantic import Field

from bivelio_server.boxes.retrieval.searching import Prepared, Question
from bivelio_server.kit.models import Id, Input, Output

MAX_QUERY: Final = 4000
MAX_SOURCES: Final = 1000
MAX_RESULTS: Final = 50
MAX_NEIGHBOURS: Final = 3

Query = Annotated[str, Field(min_length=1, max_length=MAX_QUERY, pattern=r"\S")]


class BoxSearch(Input):
    """Finds the passages of a box's documents that answer a question, by meaning and by words, whatever its language.
    When you use a passage in an answer, cite it by its `citation`: the file and the page."""

    box_id: Id
    query: Query = Field(description="The question, or words of what is looked for.")
    sources: list[Id] | None = Field(
        None, max_length=MAX_SOURCES, description="Ids of the files to look in; all of the box without it."
    )
    top_k: int = Field(10, ge=1, le=MAX_RESULTS, description="How many passages.")
    min_score: float | None = Field(None, ge=0, le=1, description="Passages with a lower score are left out.")
    neighbours: int = Field(
        0, ge=0, le=MAX_NEIGHBOURS, description="How many passages before and after each one come with it."
    )

    @property
    def question(self) -> Question:
        return Question(self.query, self.sources, self.top_k, self.min_score, self.neighbours)


class PreparedSearch(Output):
    box: Prepared
    question: Question


class BoxPassage(Output):
    """A piece of a document's text. The offsets count the characters of its pages, joined by two line ends."""

    text: str
    score: float
    file_id: str
    file_name: str
    page_from: int
    page_to: int
    offset_from: int
    offset_to: int
    citation: str


class BoxSearchResult(Output):
    results: list[BoxPassage]
    units_consumed: int
