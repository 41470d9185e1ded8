"""The functions and methods an expression may call, by name; `math.round` is a function, `x.size()` a method."""

from bivelio_server.workflows.expressions.functions import (
    calendar,
    clauses,
    collections,
    conversions,
    formatting,
    json_texts,
    numeric,
    patterns,
    texts,
)
from bivelio_server.workflows.expressions.functions.arguments import Function, as_method

_SUBJECTS = (conversions, texts, patterns, clauses, numeric, collections, calendar, formatting, json_texts)

FUNCTIONS: dict[str, Function] = {}
METHODS: dict[str, Function] = {}
for _subject in _SUBJECTS:
    FUNCTIONS |= _subject.FUNCTIONS | _subject.EITHER
    METHODS |= _subject.METHODS | {name: as_method(function) for name, function in _subject.EITHER.items()}

__all__ = ["FUNCTIONS", "METHODS", "Function"]
