"""What a file says, page by page: where each begins in the file's text, which is its pages joined by two line ends."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from bivelio_server.reading.port import Page, Reading

BETWEEN: Final = "\n\n"
_WORD: Final = re.compile(r"\S+")


def pages_of(reading: Reading) -> list[str]:
    """The text of each page in reading order; a file without pages has one."""
    if len(reading.pages) <= 1:
        return [_clean(reading.text)]
    return [_clean(page) for page in _cut(reading.text, reading.pages)]


class Places:
    """Which page a place in the file's text is on."""

    def __init__(self, pages: Sequence[str]) -> None:
        self._begins = [0]
        for page in pages[:-1]:
            self._begins.append(self._begins[-1] + len(page) + len(BETWEEN))

    def page_at(self, offset: int) -> int:
        """Counting from 1."""
        return bisect_right(self._begins, offset)


def _cut(text: str, pages: Sequence[Page]) -> list[str]:
    """The text holds the words of all pages, one after the other: only what is between them is the reader's."""
    ends, words, begin = [], _WORD.finditer(text), 0
    for page in pages:
        length = sum(len("".join(word.text.split())) for word in page.words)
        while length > 0 and (word := next(words, None)) is not None:
            length -= len(word.group())
            begin = word.end()
        ends.append(begin)
    ends[-1] = len(text)
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _clean(text: str) -> str:
    """As the database can keep it: without NUL and halves of characters, with line ends of one kind."""
    plain = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    return plain.encode(errors="replace").decode().strip()
