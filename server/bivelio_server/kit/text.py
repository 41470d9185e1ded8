"""What a person reads, in the two languages of the product, and how text is compared."""

import unicodedata
from typing import Final, Literal, NamedTuple

Language = Literal["es", "en"]
LANGUAGES: Final[dict[str, Language]] = {"es": "es", "en": "en"}
DEFAULT_LANGUAGE: Final[Language] = "es"


class Text(NamedTuple):
    """A sentence in Spanish and English. Codes and field names never change with the language."""

    es: str
    en: str

    def in_language(self, language: Language) -> str:
        return self.en if language == "en" else self.es

    def format(self, **values: object) -> "Text":
        return Text(self.es.format(**values), self.en.format(**values))


def negotiate_language(accept_language: str | None, default: Language = DEFAULT_LANGUAGE) -> Language:
    """The first of `es` and `en` that an Accept-Language header names; quality values keep their order."""
    ranked: list[tuple[float, int, Language]] = []
    for position, part in enumerate((accept_language or "").split(",")[:20]):
        tag, _, parameter = part.strip().lower().partition(";")
        primary = tag.split("-")[0].strip()
        quality = _quality(parameter)
        if primary in LANGUAGES and quality > 0:
            ranked.append((-quality, position, LANGUAGES[primary]))
    return min(ranked)[2] if ranked else default


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def fold(text: str) -> str:
    """Text as search compares it: no accents, no case, single spaces (so `Gestoría  Peña` is `gestoria pena`)."""
    if text.isascii():
        return " ".join(text.lower().split())
    # Decomposing may bring capitals back (`№` is `No`), so the case goes last, and what it composes goes with it.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    without_marks = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(without_marks.split())
