"""What is wrong with a schema, found when it is saved."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from typing import Any, Final, NamedTuple

from bivelio_server.kit import json
from bivelio_server.kit.errors import Problem
from bivelio_server.kit.json_schema.checks import fill
from bivelio_server.kit.json_schema.keywords import (
    IN_PLACE,
    KNOWN,
    NAMED,
    PATTERN,
    SEVERAL,
    SHAPES,
    subschemas,
)
from bivelio_server.kit.json_schema.limits import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NAME,
    MAX_PATTERNS,
    MAX_SUBSCHEMAS,
    Budget,
    TooMuch,
)
from bivelio_server.kit.json_schema.nodes import REFERENCE, Nodes, definition_name
from bivelio_server.kit.json_schema.patterns import is_pattern
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import MAX_FIELD_LENGTH, MAX_PROBLEMS


def schema_problems(schema: Any, path: str = "input_schema") -> list[Problem]:
    """What is wrong with a schema, each problem with its place below `path`."""
    refused = _refused_whole(schema, path)
    if refused is not None:
        return [refused]
    parts = list(_walk(schema, path))
    if len(parts) > MAX_SUBSCHEMAS:
        return [_told(path, "max_items", _TOO_MANY)]
    if sum(map(_count_of_patterns, parts)) > MAX_PATTERNS:
        return [_told(path, "max_items", _TOO_MANY_PATTERNS)]
    shapes = list(islice((found for part in parts for found in _shape(part)), MAX_PROBLEMS))
    return shapes or list(islice(_references(schema, parts, path), MAX_PROBLEMS)) or _wrong_defaults(schema, parts)


def _refused_whole(schema: Any, path: str) -> Problem | None:
    if not isinstance(schema, dict):
        return _told(path, "object", _OBJECT)
    if len(json.dumps(schema)) > MAX_BYTES:
        return _told(path, "max_length", _TOO_LONG)
    if schema.get("type", "object") != "object":
        return _told(f"{path}.type", "one_of", _ROOT)
    return None


class _Part(NamedTuple):
    """A schema within the whole, which is at depth 0."""

    path: str
    schema: Any
    depth: int


def _walk(schema: Any, path: str, depth: int = 0) -> Iterator[_Part]:
    """Every schema, those around others first; of those that are too deep only the first."""
    yield _Part(path, schema, depth)
    for _, place, within in subschemas(schema) if depth <= MAX_DEPTH else ():
        yield from _walk(within, f"{path}.{place}", depth + 1)


def _count_of_patterns(part: _Part) -> int:
    if not isinstance(part.schema, dict):
        return 0
    matching = part.schema.get("patternProperties")
    return ("pattern" in part.schema) + (len(matching) if isinstance(matching, dict) else 0)


def _shape(part: _Part) -> Iterator[Problem]:
    """What is wrong with a schema itself; those within it answer for themselves."""
    path, schema, depth = part
    if depth > MAX_DEPTH:
        yield _told(path, "max_depth", _TOO_DEEP)
        return
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield _told(path, "schema", _NO_SCHEMA)
        return
    for keyword, value in schema.items():
        here = f"{path}.{keyword}"
        if keyword not in KNOWN:
            if not keyword.startswith("x-"):
                yield _told(here, "unknown_field", _UNKNOWN)
        elif keyword in SHAPES:
            wrong = SHAPES[keyword](value)
            if wrong is not None:
                yield _told(here, *wrong)
        else:
            yield from _holder(keyword, value, here, depth)


def _holder(keyword: str, value: Any, path: str, depth: int) -> Iterator[Problem]:
    """The value of a keyword that holds schemas."""
    if keyword in SEVERAL and not (isinstance(value, list) and value):
        yield _told(path, "array", _SEVERAL)
    if keyword in NAMED:
        if not isinstance(value, dict):
            yield _told(path, "object", _NAMED)
            return
        if keyword == "$defs" and depth > 0:
            yield _told(path, "unknown_field", _DEFINITIONS_WITHIN)
        for name in value:
            if len(name) > MAX_NAME:
                yield _told(f"{path}.{name}", "max_length", _LONG_NAME)
            elif keyword == "patternProperties" and not is_pattern(name):
                yield _told(f"{path}.{name}", *PATTERN)


def _references(schema: dict[str, Any], parts: list[_Part], path: str) -> Iterator[Problem]:
    """Those that lead nowhere, or in a circle."""
    definitions = schema.get("$defs", {})
    objects = [part for part in parts if isinstance(part.schema, dict)]
    lost = [part.path for part in objects if "$ref" in part.schema and not _leads_to(part.schema["$ref"], definitions)]
    for place in lost:
        yield _told(f"{place}.$ref", "reference", _NOWHERE)
    for name in [] if lost else _circular(definitions):
        yield _told(f"{path}.$defs.{name}", "reference", _CIRCLE)


def _leads_to(reference: str, definitions: dict[str, Any]) -> bool:
    return reference.startswith(REFERENCE) and definition_name(reference) in definitions


def _circular(definitions: dict[str, Any]) -> list[str]:
    """Definitions that refer to themselves for one and the same value: checking by them would never end."""
    try:
        TopologicalSorter({name: set(_referred_in_place(part)) for name, part in definitions.items()}).prepare()
    except CycleError as error:
        return sorted(set(error.args[1]))
    return []


def _referred_in_place(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield definition_name(schema["$ref"])
        for keyword, _, part in subschemas(schema):
            if keyword in IN_PLACE:
                yield from _referred_in_place(part)


def _wrong_defaults(schema: dict[str, Any], parts: list[_Part]) -> list[Problem]:
    """Those that their own schema refuses."""
    nodes, budget = Nodes(schema, fill), Budget()
    found: list[Problem] = []
    for part in parts:
        if isinstance(part.schema, dict) and "default" in part.schema:
            path = f"{part.path}.default"
            try:
                found += islice(nodes.of(part.schema).problems(part.schema["default"], path, budget), MAX_PROBLEMS)
            except TooMuch as error:
                return [_told(path, "max_complexity", error.text)]
    return found[:MAX_PROBLEMS]


def _told(path: str, constraint: str, text: Text) -> Problem:
    field = path[:MAX_FIELD_LENGTH]
    return Problem(field, constraint, text.format(field=field))


_OBJECT: Final = Text("El campo '{field}' debe ser un objeto.", "The field '{field}' must be an object.")
_ROOT: Final = Text(
    "El campo '{field}' debe ser 'object': lo que describe es un objeto.",
    "The field '{field}' must be 'object': what it describes is an object.",
)
_TOO_LONG: Final = Text(
    f"El campo '{{field}}' ocupa más de {MAX_BYTES} bytes.", f"The field '{{field}}' takes more than {MAX_BYTES} bytes."
)
_TOO_MANY: Final = Text(
    f"El esquema '{{field}}' tiene más de {MAX_SUBSCHEMAS} partes.",
    f"The schema '{{field}}' has more than {MAX_SUBSCHEMAS} parts.",
)
_TOO_MANY_PATTERNS: Final = Text(
    f"El esquema '{{field}}' tiene más de {MAX_PATTERNS} patrones.",
    f"The schema '{{field}}' has more than {MAX_PATTERNS} patterns.",
)
_TOO_DEEP: Final = Text(
    f"Un esquema se anida como máximo {MAX_DEPTH} niveles.", f"A schema nests at most {MAX_DEPTH} levels deep."
)
_NO_SCHEMA: Final = Text(
    "El campo '{field}' debe ser un esquema: un objeto, true o false.",
    "The field '{field}' must be a schema: an object, true or false.",
)
_UNKNOWN: Final = Text(
    "La palabra '{field}' de JSON Schema no existe o no se admite aquí; las que empiezan por 'x-' son tuyas.",
    "The JSON Schema keyword '{field}' does not exist or is not taken here; those that begin with 'x-' are yours.",
)
_SEVERAL: Final = Text(
    "El campo '{field}' debe ser una lista con algún esquema.", "The field '{field}' must be a list with some schema."
)
_NAMED: Final = Text(
    "El campo '{field}' debe ser un objeto de esquemas.", "The field '{field}' must be an object of schemas."
)
_DEFINITIONS_WITHIN: Final = Text(
    "'$defs' solo puede estar en el primer nivel del esquema.", "'$defs' can only be at the top level of the schema."
)
_LONG_NAME: Final = Text(
    f"El nombre '{{field}}' tiene más de {MAX_NAME} caracteres.",
    f"The name '{{field}}' has more than {MAX_NAME} characters.",
)
_NOWHERE: Final = Text(
    "El campo '{field}' debe llevar a una definición del propio esquema, como '#/$defs/nombre'.",
    "The field '{field}' must lead to a definition of the schema itself, such as '#/$defs/name'.",
)
_CIRCLE: Final = Text(
    "La definición '{field}' se refiere a sí misma para el mismo valor.",
    "The definition '{field}' refers to itself for the same value.",
)
