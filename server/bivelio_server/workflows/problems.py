"""What is wrong with an expression, as a problem with its place."""

from bivelio_server.kit.errors import Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.expressions import ExpressionError


def expression_problem(error: ExpressionError, field: str) -> Problem:
    text = Text(f"{error.message_es} (columna {error.column})", f"{error.message_en} (column {error.column})")
    return Problem(field, "expression", text)
