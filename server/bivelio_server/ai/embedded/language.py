"""Which of our four languages a text is in."""

import re
from functools import cache
from typing import Any, Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

LANGUAGES: Final = ("es", "en", "pt", "ca")
#: Letters below which a text is not judged: `ok` is in all of them.
_LEAST_LETTERS: Final = 12
_LEAST_PROBABILITY: Final = 0.6
_READ: Final = 4000
_LETTER: Final = re.compile(r"[^\W\d_]")


def language_of(text: str) -> str | None:
    """`es`, `en`, `pt` or `ca`; None for a text that is too short or doubtful. A text in a fifth language is taken for
    one of the four."""
    text = text[:_READ]
    if len(_LETTER.findall(text)) < _LEAST_LETTERS:
        return None
    language, probability = _identifier().classify(text)
    return str(language) if probability >= _LEAST_PROBABILITY else None


@cache
def _identifier() -> Any:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier
