"""What is wrong with an expression, as a problem with its place."""

from bivelio_server.kit.errors import Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.expressions import ExpressionError


def expression_problem(error: ExpressionError, field: str) -> Problem:
    return Problem(field, "expression", at_column(Text(error.message_es, error.message_en), error.column))


def at_column(text: Text, column: int) -> Text:
    """The text with the place in what the author wrote, counted from 1."""
    return Text(f"{text.es} (columna {column})", f"{text.en} (column {column})")
