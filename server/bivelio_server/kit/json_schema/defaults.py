"""Filling in what a value leaves out."""

from typing import Any

from bivelio_server.kit import json
from bivelio_server.kit.json_schema.limits import Budget
from bivelio_server.kit.json_schema.nodes import definition_name

_BYTES_PER_STEP = 16


def with_defaults(schema: dict[str, Any], value: Any, budget: Budget) -> Any:
    """A copy with a default for each missing member that has one, in the objects and lists that are there.

    Only what `properties`, `items` and `$ref` say counts: the branches of `anyOf` and its like settle no default. A
    default stands as it is written. Raises TooMuch.
    """
    return _completed(schema, value, schema.get("$defs", {}), budget)


def _completed(schema: Any, value: Any, definitions: dict[str, Any], budget: Budget) -> Any:
    budget.spend(1)
    while isinstance(schema, dict) and "$ref" in schema and not {"properties", "items"} & schema.keys():
        schema = definitions[definition_name(schema["$ref"])]
    if isinstance(value, dict) and isinstance(schema, dict):
        return _object(schema.get("properties", {}), value, definitions, budget)
    if isinstance(value, list) and isinstance(schema, dict) and "items" in schema and "prefixItems" not in schema:
        return [_completed(schema["items"], item, definitions, budget) for item in value]
    return value


def _object(
    properties: dict[str, Any], value: dict[str, Any], definitions: dict[str, Any], budget: Budget
) -> dict[str, Any]:
    completed = {
        name: _completed(properties.get(name, True), member, definitions, budget) for name, member in value.items()
    }
    for name, schema in properties.items():
        if name not in completed and isinstance(schema, dict) and "default" in schema:
            budget.spend(1 + len(json.dumps(schema["default"])) // _BYTES_PER_STEP)
            completed[name] = schema["default"]
    return completed
