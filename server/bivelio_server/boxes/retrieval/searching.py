"""A search in a box, in three parts: who may ask of what, the vector of the question, the chunks that answer it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """`sources` are the files to look in, all when None; `neighbours` how many chunks before and after each result
    come with it."""

    text: str
    sources: Sequence[str] | None = None
    top_k: int = 10
    min_score: float | None = None
    neighbours: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A passage of a file: `[offset_from, offset_to)` of the file's text, which is its pages joined by two line ends.
    `score` is from 0 to 1, and falls with the rank."""

    file_id: str
    file_name: str
    text: str
    score: float
    page_from: int
    page_to: int
    offset_from: int
    offset_to: int
