"""A file's text in chunks: pieces that are about one thing, each with its exact place, its pages and its heading."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from semantic_text_splitter import TextSplitter

from bivelio_server.boxes.ingestion.chunks import Chunk, digest_of, in_context
from bivelio_server.boxes.ingestion.headings import Headings
from bivelio_server.boxes.ingestion.pages import BETWEEN, Places

#: Characters of a chunk: where the text allows, it has these at least, and never more than the second.
_LENGTH: Final = (700, 1100)
_TOO_SHORT_TO_CUT: Final = 16


def chunks_of(pages: Sequence[str], file_name: str, fits: Callable[[str], bool]) -> list[Chunk]:
    """In the order of the text. `fits` tells whether all of a text goes into one vector."""
    whole = BETWEEN.join(pages)
    headings, places = Headings(whole), Places(pages)
    chunks = []
    for begin, text in _pieces(whole):
        heading = headings.at(begin)
        for offset, part in _fitting(text, file_name, heading, fits):
            start, end = begin + offset, begin + offset + len(part)
            pages_from_to = places.page_at(start), places.page_at(end - 1)
            chunks.append(Chunk(digest_of(file_name, heading, part), heading, part, *pages_from_to, start, end))
    return chunks


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    yield from TextSplitter(_LENGTH).chunk_indices(text)


def _fitting(text: str, file_name: str, heading: str | None, fits: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """The text, or its halves where a model would not take it whole: of some scripts, or no language at all."""
    if len(text) <= _TOO_SHORT_TO_CUT or fits(in_context(file_name, heading, text)):
        yield 0, text
        return
    for begin, half in TextSplitter((len(text) + 1) // 2).chunk_indices(text):
        for offset, part in _fitting(half, file_name, heading, fits):
            yield begin + offset, part
