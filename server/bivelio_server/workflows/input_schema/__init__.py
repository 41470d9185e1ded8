"""The shape of a workflow's input: JSON Schema 2020-12, bounded in what a schema may be and a check may cost.

A missing member whose schema has a `default` is filled in before the input is checked.
"""

from functools import lru_cache
from itertools import islice
from typing import Any

from bivelio_server.kit import json
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.validation import MAX_PROBLEMS
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.input_schema.checks import fill
from bivelio_server.workflows.input_schema.defaults import with_defaults
from bivelio_server.workflows.input_schema.limits import Budget, TooMuch
from bivelio_server.workflows.input_schema.nodes import Node, Nodes
from bivelio_server.workflows.input_schema.schema_problems import schema_problems

__all__ = ["check_input", "schema_problems"]


def check_input(definition: Definition, input_: dict[str, Any], path: str = "input") -> dict[str, Any]:
    """The input that a run of this definition takes: the given one with its defaults. Raises ValidationFailed."""
    schema = definition.input_schema
    if schema is None:
        return input_
    budget = Budget()
    try:
        completed = with_defaults(schema, input_, budget)
        found = list(islice(_node(json.dumps(schema)).problems(completed, path, budget), MAX_PROBLEMS))
    except TooMuch as error:
        found = [Problem(path, "max_complexity", error.text.format(field=path))]
    if found:
        raise ValidationFailed(found)
    return completed


@lru_cache(maxsize=64)
def _node(schema: bytes) -> Node:
    parsed = json.loads_trusted(schema)
    return Nodes(parsed, fill).of(parsed)
