"""The expressions inside texts, each problem located by the path of the text and the column in it."""

from collections.abc import Iterator
from typing import Any, Final

from bivelio_server.kit.errors import Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.expressions import ExpressionError, parse_template
from bivelio_server.workflows.problems import at_column, expression_problem
from bivelio_server.workflows.reference_checking.inference import Scope, inferred
from bivelio_server.workflows.reference_checking.shapes import UNKNOWN, Shape

#: Characters of expressions in a whole definition: about as long as they may take to read.
MAX_SOURCE: Final = 65_536
_OF_EACH: Final = 16


class TooMuchToRead(Exception):
    """A definition holds more expressions than it may."""

    text = Text(
        f"Las expresiones de un workflow ocupan como máximo {MAX_SOURCE} caracteres en total.",
        f"The expressions of a workflow take at most {MAX_SOURCE} characters in all.",
    )


class Reading:
    """Of one definition. Raises TooMuchToRead where it exceeds what may be read."""

    def __init__(self) -> None:
        self._left = MAX_SOURCE

    def value(self, value: Any, path: str, scope: Scope) -> Iterator[Problem]:
        """Of every text inside a JSON value."""
        if isinstance(value, str):
            yield from self.text(value, path, scope)
        elif isinstance(value, dict):
            for name, member in value.items():
                if _may_hold_expressions(member):
                    yield from self.value(member, f"{path}.{name}", scope)
        elif isinstance(value, list):
            for position, member in enumerate(value):
                if _may_hold_expressions(member):
                    yield from self.value(member, f"{path}[{position}]", scope)

    def text(self, text: str, path: str, scope: Scope) -> Iterator[Problem]:
        try:
            template = parse_template(text)
        except ExpressionError as error:
            self._spend(len(text))
            yield expression_problem(error, path)
            return
        self._spend(sum(len(hole.expression.source) + _OF_EACH for hole in template.holes))
        for hole in template.holes:
            for fault in inferred(hole.expression, scope)[1]:
                yield Problem(path, "reference", at_column(fault.text, hole.start + fault.column))

    def lone_expression(self, text: str, path: str, scope: Scope) -> Iterator[Problem]:
        """Only a text that is one expression can give a value that is not a text."""
        problems = list(self.text(text, path, scope))
        if not problems and lone_shape(text, scope) is None:
            problems = [Problem(path, "expression", _NO_EXPRESSION)]
        yield from problems

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise TooMuchToRead


def _may_hold_expressions(member: Any) -> bool:
    return "{{" in member if isinstance(member, str) else isinstance(member, dict | list)


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
