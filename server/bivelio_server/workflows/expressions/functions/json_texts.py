"""JSON as text, both ways."""

from collections.abc import Sequence
from typing import cast

from bivelio_server.kit import json
from bivelio_server.workflows.expressions.errors import EvaluationError
from bivelio_server.workflows.expressions.functions.arguments import Function, text_in
from bivelio_server.workflows.expressions.limits import (
    CONTAINER_BYTES,
    JSON_MEMBER_STEPS,
    JSON_STEPS,
    MEMBER_BYTES,
    Budget,
)
from bivelio_server.workflows.expressions.values import Value, adopt, json_text


def _encode(arguments: Sequence[Value], budget: Budget) -> Value:
    return json_text(arguments[0], budget)


def _decode(arguments: Sequence[Value], budget: Budget) -> Value:
    text = text_in(arguments[0])
    containers, members = text.count("[") + text.count("{"), text.count(",") + text.count(":")
    budget.scan(len(text) * 16)
    budget.spend(JSON_STEPS + JSON_MEMBER_STEPS * (containers + members))
    budget.allocate(len(text) + CONTAINER_BYTES * containers + 4 * MEMBER_BYTES * members)
    try:
        return adopt(cast("object", json.loads(text)))
    except json.InvalidJSON as error:
        raise EvaluationError(error.reason.es, error.reason.en) from None
    except UnicodeEncodeError:
        raise EvaluationError("El texto no es Unicode válido.", "The text is not valid Unicode.") from None


FUNCTIONS: dict[str, Function] = {
    "json.encode": Function(1, 1, _encode),
    "json.decode": Function(1, 1, _decode),
}
METHODS: dict[str, Function] = {}
EITHER: dict[str, Function] = {}
