"""From what a person types into a search field to the patterns that SQL compares."""

import re
from typing import Final

from bivelio_server.kit.text import fold

MAX_WORDS: Final = 8
_PHONE_LIKE: Final = re.compile(r"[+(]?\d[\d\s().\-/]{4,}")
_NOT_A_DIGIT: Final = re.compile(r"\D")


def search_words(typed: str | None) -> list[str]:
    """Folded words, each of which must be found; a phone number is one word of digits. LIKE's wildcards are escaped."""
    words = (typed or "").strip().removeprefix("tel:")
    if _PHONE_LIKE.fullmatch(words):
        return [_NOT_A_DIGIT.sub("", words).removeprefix("00")]
    return [_escape(word) for word in fold(words).split()[:MAX_WORDS]]


def searchable(*parts: str | None) -> str:
    """The text that `search_words` are looked for in."""
    return fold(" ".join(part for part in parts if part))


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
