"""What is wrong with an input schema, found when it is saved."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.errors import Problem
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import MAX_FIELD_LENGTH, MAX_PROBLEMS
from bivelio_server.workflows.input_schema.checks import fill
from bivelio_server.workflows.input_schema.keywords import (
    IN_PLACE,
    KNOWN,
    NAMED,
    PATTERN,
    SEVERAL,
    SHAPES,
    subschemas,
)
from bivelio_server.workflows.input_schema.limits import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NAME,
    MAX_SUBSCHEMAS,
    Budget,
    TooMuch,
)
from bivelio_server.workflows.input_schema.nodes import REFERENCE, Nodes, definition_name
from bivelio_server.workflows.input_schema.patterns import compiled


def schema_problems(schema: Any, path: str = "input_schema") -> list[Problem]:
    """What is wrong with a schema, each problem with its place below `path`."""
    if not isinstance(schema, dict):
        return [_told(path, "object", _OBJECT)]
    if len(json.dumps(schema)) > MAX_BYTES:
        return [_told(path, "max_length", _TOO_LONG)]
    if schema.get("type", "object") != "object":
        return [_told(f"{path}.type", "one_of", _ROOT)]
    everything = list(_walk(schema, path))
    if len(everything) > MAX_SUBSCHEMAS:
        return [_told(path, "max_items", _TOO_MANY)]
    found = list(islice((found for place, part in everything for found in _shape(part, place)), MAX_PROBLEMS))
    if found:
        return found
    found = list(islice(_references(schema, everything, path), MAX_PROBLEMS))
    return found or list(islice(_defaults(schema, everything), MAX_PROBLEMS))


def _walk(schema: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every schema within, the outermost first, with its place; no more than are needed to refuse them."""
    yield path, schema
    for _, place, part in subschemas(schema) if depth <= MAX_DEPTH else ():
        yield from islice(_walk(part, f"{path}.{place}", depth + 1), MAX_SUBSCHEMAS + 1)


def _shape(schema: Any, path: str) -> Iterator[Problem]:
    """What is wrong with a schema itself; those within it answer for themselves."""
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
            yield from _holder(keyword, value, here)


def _holder(keyword: str, value: Any, path: str) -> Iterator[Problem]:
    """The value of a keyword that holds schemas."""
    if keyword in SEVERAL and not (isinstance(value, list) and value):
        yield _told(path, "array", _SEVERAL)
    if keyword in NAMED:
        if not isinstance(value, dict):
            yield _told(path, "object", _NAMED)
            return
        if keyword == "$defs" and path.count(".") > 1:
            yield _told(path, "unknown_field", _DEFINITIONS_WITHIN)
        for name in value:
            if len(name) > MAX_NAME:
                yield _told(f"{path}.{name}", "max_length", _LONG_NAME)
            elif keyword == "patternProperties" and compiled(name) is None:
                yield _told(f"{path}.{name}", *PATTERN)


def _references(schema: dict[str, Any], everything: list[tuple[str, Any]], path: str) -> Iterator[Problem]:
    """Those that lead nowhere or in a circle, and nesting without measure."""
    definitions = schema.get("$defs", {})
    broken = False
    for place, part in everything:
        if place.count(".") > 2 * MAX_DEPTH:
            yield _told(place, "max_depth", _TOO_DEEP)
        reference = part.get("$ref") if isinstance(part, dict) else None
        if reference is not None and not _leads_to(reference, definitions):
            broken = True
            yield _told(f"{place}.$ref", "reference", _NOWHERE)
    if not broken:
        for name in _circular(definitions):
            yield _told(f"{path}.$defs.{name}", "reference", _CIRCLE)


def _leads_to(reference: str, definitions: dict[str, Any]) -> bool:
    return reference.startswith(REFERENCE) and definition_name(reference) in definitions


def _circular(definitions: dict[str, Any]) -> list[str]:
    """The definitions that refer to themselves for one and the same value: checking by them would never end."""
    direct = {name: set(_referred_in_place(part)) for name, part in definitions.items()}
    reached = {name: set(names) for name, names in direct.items()}
    for _ in definitions:
        for names in reached.values():
            names.update(*(direct[name] for name in list(names)))
    return [name for name, names in reached.items() if name in names]


def _referred_in_place(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield definition_name(schema["$ref"])
        for keyword, _, part in subschemas(schema):
            if keyword in IN_PLACE:
                yield from _referred_in_place(part)


def _defaults(schema: dict[str, Any], everything: list[tuple[str, Any]]) -> Iterator[Problem]:
    """Defaults that their own schema refuses."""
    nodes, budget = Nodes(schema, fill), Budget()
    for place, part in everything:
        if isinstance(part, dict) and "default" in part:
            try:
                yield from nodes.of(part).problems(part["default"], f"{place}.default", budget)
            except TooMuch as error:
                yield _told(f"{place}.default", "max_complexity", error.text)
                return


def _told(path: str, constraint: str, text: Text) -> Problem:
    field = path[:MAX_FIELD_LENGTH]
    return Problem(field, constraint, text.format(field=field))


_OBJECT: Final = Text("El campo '{field}' debe ser un objeto.", "The field '{field}' must be an object.")
_ROOT: Final = Text(
    "El campo '{field}' debe ser 'object': la entrada de un workflow es un objeto.",
    "The field '{field}' must be 'object': the input of a workflow is an object.",
)
_TOO_LONG: Final = Text(
    f"El campo '{{field}}' ocupa más de {MAX_BYTES} bytes.", f"The field '{{field}}' takes more than {MAX_BYTES} bytes."
)
_TOO_MANY: Final = Text(
    f"El esquema '{{field}}' tiene más de {MAX_SUBSCHEMAS} partes.",
    f"The schema '{{field}}' has more than {MAX_SUBSCHEMAS} parts.",
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
