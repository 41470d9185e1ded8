"""The one JSON codec: strict when reading, Decimal kept exact both ways.

`loads` refuses what PostgreSQL or another parser would understand differently: duplicate keys, NaN, NUL and
unpaired surrogates, absurd numbers, deep nesting. `dumps` writes UTC times with `Z` and whole seconds, and
Decimals as numbers.
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

import orjson

from bivelio_server.kit.text import Text

JSONValue: TypeAlias = Any

MAX_DEPTH: Final = 64
MAX_NUMBER_LENGTH: Final = 40
MAX_EXPONENT: Final = 60
_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_NON_STR_KEYS
_SUSPICIOUS: Final = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|\x00")


class InvalidJSON(ValueError):
    """The text is not JSON that this server accepts; `reason` says why in both languages."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.en)
        self.reason = reason


def dumps(value: object) -> bytes:
    return orjson.dumps(value, default=_encode, option=_OPTIONS)


def _encode(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def loads(raw: bytes | str) -> JSONValue:
    """Parse strictly. Raises InvalidJSON."""
    data = raw.encode() if isinstance(raw, str) else raw
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidJSON(Text("El texto no es UTF-8.", "The text is not UTF-8.")) from None
    except RecursionError:
        raise InvalidJSON(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise InvalidJSON(_syntax(error)) from None
    _require_shallow(value)
    if _SUSPICIOUS.search(data):
        _require_storable(value)
    return value


def loads_trusted(raw: bytes | str) -> JSONValue:
    """Parse what this server wrote itself (JSONB columns), Decimals kept."""
    return _TRUSTED.decode(raw.decode() if isinstance(raw, bytes) else raw)


_TOO_DEEP: Final = Text(
    f"El JSON está anidado a más de {MAX_DEPTH} niveles.",
    f"The JSON is nested deeper than {MAX_DEPTH} levels.",
)


def _syntax(error: json.JSONDecodeError) -> Text:
    return Text(
        f"El texto no es JSON válido (línea {error.lineno}, columna {error.colno}).",
        f"The text is not valid JSON (line {error.lineno}, column {error.colno}).",
    )


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    raise InvalidJSON(Text(f"La clave '{twice[:100]}' está repetida.", f"The key '{twice[:100]}' is repeated."))


def _decimal(text: str) -> Decimal:
    _require_short(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise InvalidJSON(_OUT_OF_RANGE) from None
    if abs(number.adjusted()) > MAX_EXPONENT:
        raise InvalidJSON(_OUT_OF_RANGE)
    return number


def _integer(text: str) -> int | Decimal:
    _require_short(text)
    return _whole(text)


def _whole(text: str) -> int | Decimal:
    """orjson writes integers of 64 bits; longer ones are Decimals, which it writes as exactly."""
    number = int(text)
    return number if -(2**63) <= number < 2**64 else Decimal(text)


_OUT_OF_RANGE: Final = Text("Hay un número fuera de rango.", "A number is out of range.")


def _require_short(text: str) -> None:
    if len(text) > MAX_NUMBER_LENGTH:
        raise InvalidJSON(Text("Hay un número con demasiadas cifras.", "A number has too many digits."))


def _not_a_number(text: str) -> None:
    raise InvalidJSON(Text(f"{text} no es JSON.", f"{text} is not JSON."))


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_float=_decimal, parse_int=_integer, parse_constant=_not_a_number
)
_TRUSTED: Final = json.JSONDecoder(parse_float=Decimal, parse_int=_whole)


def _require_shallow(value: JSONValue) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise InvalidJSON(_TOO_DEEP)


def _children(value: JSONValue) -> Iterable[Any]:
    if type(value) is dict:
        return value.values()
    return value if type(value) is list else ()


def _require_storable(value: JSONValue) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            _require_storable_text(item)
        elif isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _require_storable_text(text: str) -> None:
    if "\x00" in text:
        raise InvalidJSON(Text("El texto contiene el carácter NUL.", "The text contains the NUL character."))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidJSON(
            Text("El texto contiene un sustituto Unicode suelto.", "The text contains an unpaired surrogate.")
        ) from None
