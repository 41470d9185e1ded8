"""Which JSON types each field of an input accepts, read from its schema."""

from typing import Any, Final

from pydantic import BaseModel

TYPED_VALUES: Final[dict[str, Any]] = {
    "string": "text",
    "number": 1234567,
    "boolean": True,
    "array": [[[]]],
    "object": {"a": {}},
}
ALL_TYPES: Final = frozenset(TYPED_VALUES)


def accepted_types(model: type[BaseModel]) -> dict[str, frozenset[str]]:
    """The types of every top-level field; a field without any constraint accepts all."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return {name: _types(field, definitions) for name, field in schema.get("properties", {}).items()}


def _types(schema: dict[str, Any], definitions: dict[str, Any]) -> frozenset[str]:
    if "$ref" in schema:
        return _types(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return frozenset().union(*(_types(option, definitions) for option in options))
    if "type" in schema:
        stated = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return frozenset("number" if type_ == "integer" else type_ for type_ in stated)
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return ALL_TYPES if values is None else frozenset(_type_of(value) for value in values)


def _type_of(value: Any) -> str:
    return next(
        name
        for name, types in (
            ("boolean", bool),
            ("string", str),
            ("number", (int, float)),
            ("array", list),
            ("object", dict),
        )
        if isinstance(value, types)
    )
