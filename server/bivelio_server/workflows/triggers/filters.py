"""The conditions on events."""

from collections.abc import Mapping
from typing import Any, Final

from bivelio_server.kit.errors import Impossible, Problem, ValidationFailed
from bivelio_server.kit.text import Text
from bivelio_server.workflows.expressions import Conventions, ExpressionError, render_value
from bivelio_server.workflows.problems import expression_problem


def is_true(condition: str, path: str, variables: Mapping[str, Any], conventions: Conventions) -> bool:
    """`path` names the condition. Raises ValidationFailed, and Impossible when it gives neither true nor false."""
    try:
        answer = render_value(condition, variables, path, conventions)
    except ExpressionError as error:
        raise ValidationFailed(expression_problem(error, path)) from None
    if not isinstance(answer, bool):
        raise Impossible(Problem(path, "boolean", _NOT_A_CONDITION))
    return answer


_NOT_A_CONDITION: Final = Text("La condición debe dar true o false.", "The condition must give true or false.")
