"""The expressions inside texts, each problem located by the path of the text and the column in it."""

from collections.abc import Iterator
from typing import Any, Final

from bivelio_server.kit.errors import Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.expressions import ExpressionError, parse_template
from bivelio_server.workflows.problems import at_column, expression_problem
from bivelio_server.workflows.reference_checking.inference import Scope, inferred
from bivelio_server.workflows.reference_checking.shapes import UNKNOWN, Shape

#: What a whole definition may cost to read, some 60 ms: `_cost` of each expression, 1 of each list and map.
MAX_COST: Final = 65_536
_OF_EACH: Final = 16
_OF_NODE: Final = 6


class TooMuchToRead(Exception):
    """A definition holds more than may be read."""

    text = Text(
        "El workflow es demasiado grande: divídelo en varios (run_workflow).",
        "The workflow is too large: split it into several (run_workflow).",
    )


class Reading:
    """Of one definition. Raises TooMuchToRead where it exceeds what may be read."""

    def __init__(self) -> None:
        self._left = MAX_COST

    def value(self, value: Any, path: str, scope: Scope) -> Iterator[Problem]:
        """Of every text inside a JSON value."""
        found: list[tuple[str, str]] = []
        self._collect(value, path, found)
        for place, text in found:
            yield from self.text(text, place, scope)

    def text(self, text: str, path: str, scope: Scope) -> Iterator[Problem]:
        try:
            template = parse_template(text)
        except ExpressionError as error:
            self._spend(_cost(text))
            yield expression_problem(error, path)
            return
        self._spend(sum(_cost(hole.expression.source, hole.expression.nodes) for hole in template.holes))
        for hole in template.holes:
            for fault in inferred(hole.expression, scope)[1]:
                yield Problem(path, "reference", at_column(fault.text, hole.start + fault.column))

    def lone_expression(self, text: str, path: str, scope: Scope) -> Iterator[Problem]:
        """Only a text that is one expression can give a value that is not a text."""
        problems = list(self.text(text, path, scope))
        if not problems and lone_shape(text, scope) is None:
            problems = [Problem(path, "expression", _NO_EXPRESSION)]
        yield from problems

    def _collect(self, value: Any, path: str, found: list[tuple[str, str]]) -> None:
        """Add the texts in a JSON value that may hold expressions, each with its place."""
        if isinstance(value, str):
            if "{{" in value:
                found.append((path, value))
        elif isinstance(value, dict):
            self._spend(1)
            for name, member in value.items():
                if isinstance(member, str | dict | list):
                    self._collect(member, f"{path}.{name}", found)
        elif isinstance(value, list):
            self._spend(1)
            for position, member in enumerate(value):
                if isinstance(member, str | dict | list):
                    self._collect(member, f"{path}[{position}]", found)

    def _spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise TooMuchToRead


def _cost(source: str, nodes: int = _OF_EACH) -> int:
    """In characters of a text of average density. What is not an expression counts as if it were one of some nodes."""
    return len(source) + nodes * _OF_NODE + _OF_EACH


def lone_shape(text: str, scope: Scope) -> Shape | None:
    """What a text is like that is one expression; None when it is not."""
    try:
        template = parse_template(text)
    except ExpressionError:
        return UNKNOWN
    if len(template.pieces) != 1 or not template.holes:
        return None
    return inferred(template.holes[0].expression, scope)[0]


_NO_EXPRESSION: Final = Text(
    "Aquí debe haber una expresión, como {{ input.total > 100 }}.",
    "Here must be one expression, such as {{ input.total > 100 }}.",
)
