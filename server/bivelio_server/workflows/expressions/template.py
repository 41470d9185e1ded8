"""Texts with `{{ expression }}` inside.

A text that is exactly one expression keeps the type of its value; any other is its pieces joined as text, where
null is nothing and lists and maps are JSON. What an expression returns is never read as a template again, so a
value that holds `{{` stays as it is. To write two braces as text, write them as a string: `{{ "{{" }}`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from bivelio_server.workflows.expressions.conventions import USUAL, Conventions
from bivelio_server.workflows.expressions.errors import ExpressionError, ExpressionSyntaxError, LimitError
from bivelio_server.workflows.expressions.evaluator import value_within
from bivelio_server.workflows.expressions.lexer import tokens
from bivelio_server.workflows.expressions.limits import (
    CACHED_TEMPLATE,
    HOLE_SOURCE,
    MAX_DATA_DEPTH,
    MAX_SOURCE,
    MAX_TEMPLATE,
    MAX_TEMPLATE_SOURCE,
    SOURCE_STEPS,
    WALK_STEPS,
    Budget,
    too_deep,
)
from bivelio_server.workflows.expressions.parser import parse
from bivelio_server.workflows.expressions.references import Path, references
from bivelio_server.workflows.expressions.syntax import Expression
from bivelio_server.workflows.expressions.values import JSONValue, adopt, exported, keys_of, text_of


@dataclass(frozen=True, slots=True)
class Hole:
    """An expression and where its source starts in the template, counted from 0."""

    expression: Expression
    start: int


@dataclass(frozen=True, slots=True)
class Template:
    pieces: tuple[str | Hole, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Hole))


def parse_template(text: str) -> Template:
    """The pieces of a text; ExpressionError with the column in the whole text when an expression is wrong."""
    if "{{" not in text:
        return Template((text,))
    if len(text) > MAX_TEMPLATE:
        raise _too_long(f"más de {MAX_TEMPLATE}", f"more than {MAX_TEMPLATE}")
    return _parse_template(text) if len(text) <= CACHED_TEMPLATE else _parse_template.__wrapped__(text)


@lru_cache(maxsize=256)
def _parse_template(text: str) -> Template:
    return Template(tuple(_pieces(text)))


def _pieces(text: str) -> Iterator[str | Hole]:
    position = source_length = 0
    while (opening := text.find("{{", position)) >= 0:
        if opening > position:
            yield text[position:opening]
        start = opening + 2
        end = _closing(text, start)
        source_length += end - start + HOLE_SOURCE
        if source_length > MAX_TEMPLATE_SOURCE:
            raise _too_long(
                f"expresiones por más de {MAX_TEMPLATE_SOURCE}",
                f"expressions of more than {MAX_TEMPLATE_SOURCE}",
            )
        with _located(start=start):
            yield Hole(parse(text[start:end]), start)
        position = end + 2
    if position < len(text):
        yield text[position:]


def _closing(text: str, start: int) -> int:
    """Where the `}}` of a hole is: braces inside maps and strings do not close it."""
    depth = 0
    for token in tokens(text, start):
        if token.start - start > MAX_SOURCE:
            raise LimitError(
                f"La expresión ocupa más de {MAX_SOURCE} bytes, o falta «}}}}» para cerrarla.",
                f"The expression is longer than {MAX_SOURCE} bytes, or “}}}}” is missing to close it.",
                start - 1,
            )
        if token.kind == "{":
            depth += 1
        elif token.kind == "}" and depth == 0 and text.startswith("}}", token.start):
            return token.start
        elif token.kind == "}":
            depth -= 1
    raise ExpressionSyntaxError("Falta «}}» para cerrar «{{».", "“}}” is missing to close “{{”.", start - 1)


def render(template: Template, variables: Mapping[str, object], conventions: Conventions = USUAL) -> JSONValue:
    """The value of a lone expression, or the text."""
    return _rendered(template, variables, Budget(conventions))


def render_value(
    value: object, variables: Mapping[str, object], path: str = "", conventions: Conventions = USUAL
) -> JSONValue:
    """A copy of a JSON value with every string rendered, keys untouched; all its strings share one budget.

    `path` names the value in errors: with "with", a failing string is `with.email`.
    """
    budget = Budget(conventions)

    def rendered(text: str) -> JSONValue:
        return _rendered(parse_template(text), variables, budget)

    return _walked(value, path, rendered, budget, 0)


def references_of(value: object, path: str = "") -> set[Path]:
    """The references of every string inside a JSON value; errors carry the path of the failing string.

    What is too much to read here would be too much to render, too.
    """
    found: set[Path] = set()
    budget = Budget()

    def collect(text: str) -> JSONValue:
        for hole in parse_template(text).holes:
            budget.spend(SOURCE_STEPS * len(hole.expression.source))
            found.update(references(hole.expression))
        return None

    _walked(value, path, collect, budget, 0)
    return found


def _walked(value: object, path: str, visit: Callable[[str], JSONValue], budget: Budget, depth: int) -> JSONValue:
    if depth > MAX_DATA_DEPTH:
        raise too_deep()
    if isinstance(value, dict | list):
        budget.spend(WALK_STEPS * len(value))
        budget.allocate_members(len(value))
    if isinstance(value, dict):
        below = f"{path}." if path else ""
        return {key: _walked(value[key], f"{below}{key}", visit, budget, depth + 1) for key in keys_of(value, budget)}
    if isinstance(value, list):
        return [_walked(item, f"{path}[{i}]", visit, budget, depth + 1) for i, item in enumerate(value)]
    with _located(path):
        return visit(value) if isinstance(value, str) else exported(adopt(value), budget)


def _rendered(template: Template, variables: Mapping[str, object], budget: Budget) -> JSONValue:
    match template.pieces:
        case (Hole() as hole,):
            with _located(start=hole.start):
                budget.spend(SOURCE_STEPS * len(hole.expression.source))
                return exported(value_within(hole.expression, variables, budget), budget)
    return "".join(_text(piece, variables, budget) for piece in template.pieces)


def _text(piece: str | Hole, variables: Mapping[str, object], budget: Budget) -> str:
    if isinstance(piece, str):
        budget.allocate_text(len(piece))
        return piece
    with _located(start=piece.start):
        budget.spend(SOURCE_STEPS * len(piece.expression.source))
        return text_of(value_within(piece.expression, variables, budget), budget)


@contextmanager
def _located(path: str = "", start: int = 0) -> Iterator[None]:
    """Errors raised inside count their column in the whole text and name where that text is."""
    try:
        yield
    except ExpressionError as error:
        error.column = (error.column or 1) + start
        error.path = error.path or path
        raise
    except RecursionError:
        raise too_deep(start + 1) from None


def _too_long(what_es: str, what_en: str) -> LimitError:
    return LimitError(f"El texto contiene {what_es} caracteres.", f"The text contains {what_en} characters.", 1)
