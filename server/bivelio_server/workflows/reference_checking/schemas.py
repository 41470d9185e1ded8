"""Shapes from JSON schemas: those that authors write for inputs, and those of our models."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from bivelio_server.workflows.reference_checking.shapes import (
    PLAIN,
    UNKNOWN,
    Fields,
    LazyFields,
    ListOf,
    Shape,
    any_of,
)

_LOCAL = "#/"
#: Of lists, choices and references within one another; fields begin anew.
_MAX_DEPTH = 40


def shape_of_schema(schema: Mapping[str, Any]) -> Shape:
    """What fits the schema; what it does not mention may be there unless it says otherwise."""
    return _Reader(schema, lists_all=False).shape(schema)


@lru_cache(maxsize=512)
def shape_of_model(model: type[BaseModel]) -> Shape:
    """What the model dumps; it lists all its fields unless it says otherwise."""
    schema = model.model_json_schema(mode="serialization", by_alias=True)
    return _Reader(schema, lists_all=True).shape(schema)


class _Reader:
    """Reads each definition once, so that one may hold itself and no schema takes longer than its length."""

    def __init__(self, root: Mapping[str, Any], *, lists_all: bool) -> None:
        self._root = root
        self._lists_all = lists_all
        self._read: dict[str, Shape] = {}
        self._depth = 0

    def shape(self, schema: Any) -> Shape:
        if self._depth > _MAX_DEPTH:
            return UNKNOWN
        self._depth += 1
        try:
            return self._shape(schema)
        finally:
            self._depth -= 1

    def _shape(self, schema: Any) -> Shape:
        if not isinstance(schema, dict):
            return UNKNOWN
        if "$ref" in schema:
            return self._referred(schema["$ref"])
        for choice in ("anyOf", "oneOf"):
            if isinstance(schema.get(choice), list):
                return any_of(self.shape(each) for each in schema[choice])
        if "allOf" in schema:
            return UNKNOWN
        types = schema.get("type")
        return any_of(self._typed(kind, schema) for kind in (types if isinstance(types, list) else [types]))

    def _referred(self, reference: Any) -> Shape:
        if reference not in self._read:
            self._read[reference] = UNKNOWN  # for whoever holds itself at once
            self._read[reference] = self.shape(self._target(reference))
        return self._read[reference]

    def _target(self, reference: Any) -> Any:
        target: Any = self._root
        if reference == "#":
            return target
        if not isinstance(reference, str) or not reference.startswith(_LOCAL):
            return None
        for part in reference.removeprefix(_LOCAL).split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
        return target

    def _typed(self, kind: Any, schema: dict[str, Any]) -> Shape:
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema)
        if kind == "array":
            return ListOf(UNKNOWN if "prefixItems" in schema else self.shape(schema.get("items")))
        return UNKNOWN if kind is None else PLAIN

    def _object(self, schema: dict[str, Any]) -> Shape:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        return Fields(
            LazyFields({name: self._maker(member) for name, member in properties.items()}), self._rest(schema)
        )

    def _maker(self, schema: Any) -> Callable[[], Shape]:
        return lambda: self.shape(schema)

    def _rest(self, schema: dict[str, Any]) -> Shape | None:
        if "patternProperties" in schema:
            return UNKNOWN
        if "additionalProperties" not in schema:
            return None if self._lists_all and "properties" in schema else UNKNOWN
        rest = schema["additionalProperties"]
        return None if rest is False else self.shape(rest)
