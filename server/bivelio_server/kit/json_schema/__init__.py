"""The shape of a value, as a user describes it: JSON Schema 2020-12, bounded in what a schema may be and a check cost.

A missing member whose schema has a `default` is filled in before the value is checked.
"""

from functools import lru_cache
from itertools import islice
from typing import Any

from bivelio_server.kit import json
from bivelio_server.kit.errors import Problem
from bivelio_server.kit.json_schema.checks import fill
from bivelio_server.kit.json_schema.defaults import with_defaults
from bivelio_server.kit.json_schema.limits import Budget, TooMuch
from bivelio_server.kit.json_schema.nodes import Node, Nodes
from bivelio_server.kit.json_schema.schema_problems import schema_problems
from bivelio_server.kit.validation import MAX_PROBLEMS

__all__ = ["checked", "schema_problems"]


def checked(schema: dict[str, Any], value: Any, path: str) -> tuple[Any, list[Problem]]:
    """The value with its defaults, and what is wrong with it; the schema must have no problems."""
    budget = Budget()
    try:
        completed = with_defaults(schema, value, budget)
        return completed, list(islice(_node(json.dumps(schema)).problems(completed, path, budget), MAX_PROBLEMS))
    except TooMuch as error:
        return value, [Problem(path, "max_complexity", error.text.format(field=path))]


@lru_cache(maxsize=64)
def _node(schema: bytes) -> Node:
    parsed = json.loads_trusted(schema)
    return Nodes(parsed, fill).of(parsed)
