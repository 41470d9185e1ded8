"""Expressions of workflows: a bounded subset of CEL over plain data, and texts with `{{ … }}` inside."""

from bivelio_server.workflows.expressions.conventions import Conventions
from bivelio_server.workflows.expressions.errors import (
    EvaluationError,
    ExpressionError,
    ExpressionSyntaxError,
    LimitError,
)
from bivelio_server.workflows.expressions.evaluator import evaluate
from bivelio_server.workflows.expressions.parser import NOT_NAMES, parse
from bivelio_server.workflows.expressions.references import references
from bivelio_server.workflows.expressions.syntax import Expression
from bivelio_server.workflows.expressions.template import (
    Template,
    parse_template,
    references_of,
    render,
    render_value,
)
from bivelio_server.workflows.expressions.values import JSONValue

__all__ = [
    "NOT_NAMES",
    "Conventions",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "ExpressionSyntaxError",
    "JSONValue",
    "LimitError",
    "Template",
    "evaluate",
    "parse",
    "parse_template",
    "references",
    "references_of",
    "render",
    "render_value",
]
