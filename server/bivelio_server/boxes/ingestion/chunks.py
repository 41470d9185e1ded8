"""A chunk of a file's text, and what a model is given of it."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

_LONGEST_TITLE: Final = 150
_UNDER: Final = " › "


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text` is `[offset_from, offset_to)` of the file's text. `digest` is that of what the model is given."""

    digest: bytes
    heading: str | None
    text: str
    page_from: int
    page_to: int
    offset_from: int
    offset_to: int


def in_context(file_name: str, heading: str | None, text: str) -> str:
    """What is embedded and indexed of a chunk: it says where it stands."""
    title = file_name if heading is None else f"{file_name[: _LONGEST_TITLE // 2]}{_UNDER}{heading}"
    return f"{title[:_LONGEST_TITLE]}\n{text}"


def digest_of(file_name: str, heading: str | None, text: str) -> bytes:
    return sha256(in_context(file_name, heading, text).encode()).digest()
