"""The headings of a text, as far as a line shows that it is one."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

_LONGEST: Final = 90
_MOST_WORDS: Final = 12
_MARKDOWN: Final = re.compile(r"#{1,6}\s+(?P<title>.+?)\s*#*$")
#: `3. Plazos`, `2.1 Objeto`, `IV. Garantías`, `b) Exclusiones`
_NUMBERED: Final = re.compile(r"(\d{1,2}(\.\d{1,2}){0,3}[.)]?|[IVXLC]{1,6}[.)]|[a-zA-Z]\))\s+\w")
_NAMED: Final = re.compile(
    r"(art[íi]culo|artigo|article|cl[áa]usul[ae]|clause|cap[íi]tulo|cap[íi]tol|chapter|secci[óo]n?|secç[ãa]o|section"
    r"|t[íi]tulo|t[íi]tol|title|anexo|annex|ap[ée]ndice|appendix|disposici[óo]n?|parte|part)\s+\S",
    re.IGNORECASE,
)


class Headings:
    """Of one text, in their order."""

    def __init__(self, text: str) -> None:
        found = list(_headings(text))
        self._begins = [begin for begin, _ in found]
        self._titles = [title for _, title in found]

    def at(self, offset: int) -> str | None:
        """The last one that begins there or before."""
        place = bisect_right(self._begins, offset)
        return self._titles[place - 1] if place else None


def _headings(text: str) -> Iterator[tuple[int, str]]:
    begin, stands_alone = 0, True
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        title = _title_of(bare, stands_alone=stands_alone) if bare else None
        if title is not None:
            yield begin + line.index(bare), title
        stands_alone = not bare
        begin += len(line)


def _title_of(line: str, *, stands_alone: bool) -> str | None:
    """`stands_alone`: nothing is on the line before."""
    if marked := _MARKDOWN.match(line):
        return marked["title"][:_LONGEST]
    if len(line) > _LONGEST or len(line.split()) > _MOST_WORDS or line[-1] in ".,;:!?…" or "|" in line:
        return None
    letters = [char for char in line if char.isalpha()]
    if len(letters) < 3:
        return None
    is_loud = "".join(letters).isupper() and len(letters) > 2 * sum(char.isdigit() for char in line)
    is_marked = _NAMED.match(line) or (_NUMBERED.match(line) and _is_titled(line))
    return line if stands_alone and (is_loud or is_marked) else None


def _is_titled(line: str) -> bool:
    """Its first word begins with a capital, as an item of a list seldom does with a figure at its end."""
    first = next((word for word in line.split()[1:] if word[0].isalpha()), "")
    return first[:1].isupper() and not line[-1].isdigit()
