"""The plain values of the language and what each can do: enter, compare, become text, leave as JSON."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from json import JSONEncoder
from math import isfinite
from types import NoneType
from typing import Any, NamedTuple, TypeAlias, TypeGuard, cast

from bivelio_server.workflows.expressions.errors import EvaluationError, NoOverloadError, shown
from bivelio_server.workflows.expressions.limits import (
    COMPARISON_STEPS,
    MAX_DATA_DEPTH,
    MAX_INTEGER,
    MIN_INTEGER,
    TIME_TEXT_STEPS,
    Budget,
    too_deep,
)
from bivelio_server.workflows.expressions.numbers import Number, bounded, number_text
from bivelio_server.workflows.expressions.times import duration_text, in_utc, timestamp_text

JSONValue: TypeAlias = "bool | int | Decimal | str | list[JSONValue] | dict[str, JSONValue] | None"
"""What an evaluation returns. What it takes may also hold floats, timestamps and durations."""

Value: TypeAlias = "bool | int | Decimal | str | datetime | timedelta | list[object] | dict[str, object] | Maybe | None"
"""A value being worked on. Members of a list or map are adopted when they are reached, not before."""


class Maybe(NamedTuple):
    """CEL's optional: a value that may be missing. It leaves as its value, or as null."""

    present: bool
    value: Value = None


NONE = Maybe(present=False)

_JSON = JSONEncoder(ensure_ascii=False)

_AS_IS = frozenset({NoneType, bool, str, list, dict, timedelta, Maybe})
_NUMBERS = frozenset({int, Decimal})

_TYPE_NAMES: dict[type, tuple[str, str]] = {
    NoneType: ("nulo", "null"),
    bool: ("booleano", "bool"),
    int: ("entero", "int"),
    Decimal: ("decimal", "decimal"),
    str: ("texto", "string"),
    datetime: ("fecha", "timestamp"),
    timedelta: ("duración", "duration"),
    list: ("lista", "list"),
    dict: ("mapa", "map"),
    Maybe: ("opcional", "optional"),
}


def adopt(raw: object) -> Value:
    """Take one value from outside. Only exact plain types enter: a subclass could bring code of its own."""
    kind = type(raw)
    if kind in _AS_IS:
        return cast("Value", raw)
    if kind is int:
        number = cast("int", raw)
        return number if MIN_INTEGER <= number <= MAX_INTEGER else _wide(number)
    if kind is float:
        return _exact(cast("float", raw))
    if kind is Decimal:
        return bounded(cast("Decimal", raw))
    if kind is datetime:
        return in_utc(cast("datetime", raw))
    name = shown(kind.__name__)
    raise EvaluationError(f"Un dato de tipo «{name}» no es JSON.", f"A value of type “{name}” is not JSON.")


def _exact(number: float) -> Decimal:
    """The decimal that is shown for it, as JSON would write it."""
    if isfinite(number):
        return Decimal(repr(number))
    raise EvaluationError("El número no es finito.", "The number is not finite.")


def _wide(number: int) -> Decimal:
    if number.bit_length() > MAX_INTEGER.bit_length() * 2:
        raise EvaluationError("El entero tiene demasiadas cifras.", "The integer has too many digits.")
    return bounded(Decimal(number))


def type_names(values: Iterable[Value]) -> tuple[str, str]:
    """The types of some values in Spanish and English, separated by commas."""
    names = [_TYPE_NAMES[type(value)] for value in values]
    return ", ".join(es for es, _ in names), ", ".join(en for _, en in names)


def is_number(value: Value) -> TypeGuard[Number]:
    return type(value) in _NUMBERS


def keys_of(mapping: dict[str, object], budget: Budget) -> list[str]:
    budget.spend(len(mapping))
    if all(type(key) is str for key in mapping):
        return list(mapping)
    raise EvaluationError("Las claves de un mapa son textos.", "The keys of a map are strings.")


def equal(left: Value, right: Value, budget: Budget, depth: int = 0) -> bool:
    """CEL's equality: values of different types differ, numbers compare by value."""
    kind = type(left)
    if kind is not type(right):
        return is_number(left) and is_number(right) and left == right
    if isinstance(left, str) and isinstance(right, str):
        budget.scan(min(len(left), len(right)))
        return left == right
    compare = _WHOLES.get(kind)
    return compare(left, right, budget, depth) if compare else left == right


def _equal_lists(left: Any, right: Any, budget: Budget, depth: int) -> bool:
    return len(left) == len(right) and _equal_members(zip(left, right, strict=True), budget, depth)


def _equal_maps(left: Any, right: Any, budget: Budget, depth: int) -> bool:
    budget.spend(len(left))
    if left.keys() != right.keys():
        return False
    return _equal_members(((item, right[key]) for key, item in left.items()), budget, depth)


def _equal_optionals(left: Any, right: Any, budget: Budget, depth: int) -> bool:
    return left.present == right.present and _equal_members([(left.value, right.value)], budget, depth)


#: Called with two of the type they are found by.
_WHOLES: dict[type, Callable[[Any, Any, Budget, int], bool]] = {
    list: _equal_lists,
    dict: _equal_maps,
    Maybe: _equal_optionals,
}


def _equal_members(pairs: Iterable[tuple[object, object]], budget: Budget, depth: int) -> bool:
    if depth > MAX_DATA_DEPTH:
        raise too_deep()
    for left, right in pairs:
        budget.spend(COMPARISON_STEPS)
        if not equal(adopt(left), adopt(right), budget, depth + 1):
            return False
    return True


def less(left: Value, right: Value, budget: Budget) -> bool:
    if is_number(left) and is_number(right):
        return left < right
    if isinstance(left, str) and isinstance(right, str):
        budget.scan(min(len(left), len(right)))
        return left < right
    if isinstance(left, bool) and isinstance(right, bool):
        return left < right
    if isinstance(left, datetime) and isinstance(right, datetime):
        return left < right
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return left < right
    raise NoOverloadError


def exported(value: Value, budget: Budget, depth: int = 0) -> JSONValue:
    """A copy that is only JSON: timestamps and durations leave as text."""
    if value is None or isinstance(value, bool | int | Decimal):
        return value
    if isinstance(value, list):
        enter(value, budget, depth)
        return [exported(adopt(item), budget, depth + 1) for item in value]
    if isinstance(value, dict):
        enter(value, budget, depth)
        return {key: exported(adopt(value[key]), budget, depth + 1) for key in keys_of(value, budget)}
    if isinstance(value, str):
        budget.allocate_text(len(value))
        return value
    return exported(value.value, budget, depth) if isinstance(value, Maybe) else _time_text(value, budget)


def text_of(value: Value, budget: Budget) -> str:
    """How a value reads inside a longer text: nothing for null, JSON for lists and maps."""
    if isinstance(value, Maybe):
        return text_of(value.value, budget)
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json_text(value, budget)
    text = scalar_text(value, budget)
    budget.allocate_text(len(text))
    return text


def scalar_text(value: bool | Number | str | datetime | timedelta, budget: Budget) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | timedelta):
        return _time_text(value, budget)
    return number_text(value)


def _time_text(value: datetime | timedelta, budget: Budget) -> str:
    budget.spend(TIME_TEXT_STEPS)
    return timestamp_text(value) if isinstance(value, datetime) else duration_text(value)


def json_text(value: Value, budget: Budget, depth: int = 0) -> str:
    if isinstance(value, list):
        enter(value, budget, depth)
        items = [json_text(adopt(item), budget, depth + 1) for item in value]
        return f"[{','.join(items)}]"
    if isinstance(value, dict):
        enter(value, budget, depth)
        entries = [
            f"{json_text(key, budget, depth)}:{json_text(adopt(value[key]), budget, depth + 1)}"
            for key in keys_of(value, budget)
        ]
        return f"{{{','.join(entries)}}}"
    if isinstance(value, Maybe):
        return json_text(value.value, budget, depth)
    if value is None:
        return "null"
    text = scalar_text(value, budget)
    budget.allocate_text(len(text))
    if not isinstance(value, str | datetime | timedelta):
        return text
    encoded = _JSON.encode(text)
    budget.allocate(len(encoded) - len(text))
    return encoded


def enter(container: list[object] | dict[str, object], budget: Budget, depth: int) -> None:
    if depth > MAX_DATA_DEPTH:
        raise too_deep()
    budget.spend(len(container))
    budget.allocate_members(len(container))
