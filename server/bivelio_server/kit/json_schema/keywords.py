"""The keywords of JSON Schema 2020-12 that an input schema may use, and the shape of each."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from bivelio_server.kit.json_schema.formats import FORMATS
from bivelio_server.kit.json_schema.limits import DIALECT, MAX_NAME, MAX_WORDS
from bivelio_server.kit.json_schema.patterns import is_pattern
from bivelio_server.kit.json_schema.values import TYPES, is_number
from bivelio_server.kit.text import Text

#: Keywords that hold one schema, a list of them, or named ones.
ONE: Final = frozenset({"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"})
SEVERAL: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED: Final = frozenset({"$defs", "dependentSchemas", "patternProperties", "properties"})
#: Those whose schemas judge the very value that the schema around them judges.
IN_PLACE: Final = frozenset({"allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "then"})

#: A shape says what is wrong with a keyword's value: a constraint and its sentence, or nothing.
Shape = Callable[[Any], tuple[str, Text] | None]


def _must(constraint: str, es: str, en: str, accepts: Callable[[Any], bool]) -> Shape:
    wrong = (constraint, Text(f"El campo '{{field}}' debe ser {es}.", f"The field '{{field}}' must be {en}."))
    return lambda value: None if accepts(value) else wrong


def _text(longest: int) -> Shape:
    es, en = f"un texto de hasta {longest} caracteres", f"a text of up to {longest} characters"
    return _must("string", es, en, _is_text(longest))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1_000_000


def _is_text(longest: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= longest


def _is_list_of_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text(MAX_NAME), value)) and len(set(value)) == len(value)


def _is_list_of_values(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return 0 < len(names) <= len(TYPES) and all(isinstance(name, str) and name in TYPES for name in names)


def _are_dependencies(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_list_of_names, value.values()))


def _pattern(value: Any) -> tuple[str, Text] | None:
    return None if isinstance(value, str) and is_pattern(value) else PATTERN


PATTERN: Final = (
    "pattern",
    Text(
        "El campo '{field}' debe ser un patrón RE2 (sin referencias ni miradas) de hasta 500 caracteres.",
        "The field '{field}' must be an RE2 pattern (without backreferences or look-around) of up to 500 characters.",
    ),
)
_COUNT: Final = _must("integer", "un entero de 0 a 1000000", "an integer from 0 to 1000000", _is_count)
_NUMBER: Final = _must("number", "un número", "a number", is_number)
_FLAG: Final = _must("boolean", "true o false", "true or false", lambda value: isinstance(value, bool))
_LINE: Final = _text(MAX_NAME)
_WORDS: Final = _text(MAX_WORDS)
_NAMES: Final = _must("array", "una lista de nombres distintos", "a list of different names", _is_list_of_names)
_VALUES: Final = _must("array", "una lista con algún valor", "a list with some value", _is_list_of_values)


def _anything(_value: Any) -> None:
    """Any value will do."""


SHAPES: Final[Mapping[str, Shape]] = {
    "$schema": _must("one_of", f"'{DIALECT}'", f"'{DIALECT}'", lambda value: value == DIALECT),
    "$comment": _WORDS,
    "$ref": _must("string", "un texto como '#/$defs/nombre'", "a text such as '#/$defs/name'", _is_text(MAX_NAME)),
    "title": _LINE,
    "description": _WORDS,
    "default": _anything,
    "examples": _must("array", "una lista", "an array", lambda value: isinstance(value, list)),
    "deprecated": _FLAG,
    "readOnly": _FLAG,
    "writeOnly": _FLAG,
    "type": _must("one_of", f"uno o varios de: {', '.join(TYPES)}", f"one or more of: {', '.join(TYPES)}", _is_type),
    "enum": _VALUES,
    "const": _anything,
    "minLength": _COUNT,
    "maxLength": _COUNT,
    "pattern": _pattern,
    "format": _must(
        "one_of",
        f"uno de: {', '.join(FORMATS)}",
        f"one of: {', '.join(FORMATS)}",
        lambda value: isinstance(value, str) and value in FORMATS,
    ),
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "exclusiveMaximum": _NUMBER,
    "multipleOf": _must(
        "minimum", "un número mayor que 0", "a number above 0", lambda value: is_number(value) and value > 0
    ),
    "minItems": _COUNT,
    "maxItems": _COUNT,
    "uniqueItems": _FLAG,
    "minContains": _COUNT,
    "maxContains": _COUNT,
    "required": _NAMES,
    "minProperties": _COUNT,
    "maxProperties": _COUNT,
    "dependentRequired": _must(
        "object", "un objeto de listas de nombres", "an object of lists of names", _are_dependencies
    ),
}
KNOWN: Final = frozenset({*SHAPES, *ONE, *SEVERAL, *NAMED})


def subschemas(schema: Any) -> Iterator[tuple[str, str, Any]]:
    """The keyword, the place (`properties.email`, `anyOf[0]`) and the schema of each schema right within another."""
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in ONE:
            yield keyword, keyword, value
        elif keyword in SEVERAL and isinstance(value, list):
            for position, member in enumerate(value):
                yield keyword, f"{keyword}[{position}]", member
        elif keyword in NAMED and isinstance(value, dict):
            for name, member in value.items():
                yield keyword, f"{keyword}.{name}", member
