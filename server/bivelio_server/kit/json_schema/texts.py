"""What is told of a value that its schema does not take, by constraint."""

from collections.abc import Mapping
from typing import Any, Final

from bivelio_server.kit.errors import Problem
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import MAX_FIELD_LENGTH

_TEXTS: Final[Mapping[str, Text]] = {
    "type": Text("El campo '{field}' debe ser {expected_es}.", "The field '{field}' must be {expected_en}."),
    "required": Text("El campo '{field}' es obligatorio.", "The field '{field}' is required."),
    "unknown_field": Text("El campo '{field}' no existe.", "The field '{field}' does not exist."),
    "one_of": Text("El campo '{field}' debe ser uno de: {expected}.", "The field '{field}' must be one of: {expected}."),
    "min_length": Text("El campo '{field}' debe tener al menos {limit} caracteres.", "The field '{field}' must have at least {limit} characters."),
    "max_length": Text("El campo '{field}' admite como máximo {limit} caracteres.", "The field '{field}' takes at most {limit} characters."),
    "pattern": Text("El campo '{field}' no tiene la forma {limit}.", "The field '{field}' does not match {limit}."),
    "format": Text("El campo '{field}' debe ser {expected_es}.", "The field '{field}' must be {expected_en}."),
    "minimum": Text("El campo '{field}' debe ser {limit} o más.", "The field '{field}' must be {limit} or more."),
    "maximum": Text("El campo '{field}' debe ser {limit} o menos.", "The field '{field}' must be {limit} or less."),
    "exclusive_minimum": Text("El campo '{field}' debe ser mayor que {limit}.", "The field '{field}' must be more than {limit}."),
    "exclusive_maximum": Text("El campo '{field}' debe ser menor que {limit}.", "The field '{field}' must be less than {limit}."),
    "multiple_of": Text("El campo '{field}' debe ser múltiplo de {limit}.", "The field '{field}' must be a multiple of {limit}."),
    "min_items": Text("El campo '{field}' debe tener al menos {limit} elementos.", "The field '{field}' must have at least {limit} items."),
    "max_items": Text("El campo '{field}' admite como máximo {limit} elementos.", "The field '{field}' takes at most {limit} items."),
    "unique": Text("El campo '{field}' no puede repetir elementos.", "The field '{field}' cannot repeat items."),
    "contains": Text("El campo '{field}' debe contener entre {least} y {most} elementos de los que pide el esquema.", "The field '{field}' must contain between {least} and {most} items of those that the schema asks for."),
    "min_properties": Text("El campo '{field}' debe tener al menos {limit} miembros.", "The field '{field}' must have at least {limit} members."),
    "max_properties": Text("El campo '{field}' admite como máximo {limit} miembros.", "The field '{field}' takes at most {limit} members."),
    "property_name": Text("El nombre del campo '{field}' no es de los admitidos.", "The name of the field '{field}' is none of those allowed."),
    "any_of": Text("El campo '{field}' no cumple ninguna de las formas que admite el esquema.", "The field '{field}' fits none of the forms that the schema allows."),
    "exactly_one_of": Text("El campo '{field}' debe cumplir exactamente una de las formas que admite el esquema.", "The field '{field}' must fit exactly one of the forms that the schema allows."),
    "not": Text("El campo '{field}' tiene un valor que el esquema excluye.", "The field '{field}' has a value that the schema excludes."),
    "excluded": Text("El campo '{field}' no admite ningún valor.", "The field '{field}' takes no value at all."),
}  # fmt: skip
TYPE_NAMES: Final[Mapping[str, Text]] = {
    "string": Text("un texto", "a string"),
    "number": Text("un número", "a number"),
    "integer": Text("un entero", "an integer"),
    "boolean": Text("true o false", "true or false"),
    "object": Text("un objeto", "an object"),
    "array": Text("una lista", "an array"),
    "null": Text("null", "null"),
}


def problem(path: str, constraint: str, *, told_as: str | None = None, **values: Any) -> Problem:
    """`constraint` chooses the sentence; `told_as` is the constraint that the reply names instead."""
    field = path[:MAX_FIELD_LENGTH]
    return Problem(field, told_as or constraint, _TEXTS[constraint].format(field=field, **values))
