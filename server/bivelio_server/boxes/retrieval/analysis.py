"""The words of a text as search compares them: stems without accents, each as a number."""

import re
from collections import Counter
from functools import lru_cache
from typing import Final
from zlib import crc32

import snowballstemmer

from bivelio_server.kit.text import fold

_WORD: Final = re.compile(r"\w+")
#: Longer ones are no words.
_LONGEST: Final = 40


def terms_of(text: str) -> Counter[int]:
    """How often each term occurs. Numbers are of 32 bits: two words of the same number are one to the search."""
    words = _WORD.findall(text.casefold())
    return Counter(_term(word) for word in words if len(word) <= _LONGEST)


@lru_cache(maxsize=65_536)
def _term(word: str) -> int:
    return crc32(fold(_stemmer().stemWord(word)).encode())


@lru_cache(maxsize=1)
def _stemmer() -> "snowballstemmer.stemmer":
    return snowballstemmer.stemmer("spanish")
