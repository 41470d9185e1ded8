"""From one type to another, and what is given when there is nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bivelio_server.workflows.expressions.errors import EvaluationError, NoOverloadError
from bivelio_server.workflows.expressions.functions.arguments import MANY, Function, list_in, simple, text_in
from bivelio_server.workflows.expressions.functions.calendar import date_of, moment_in_zone
from bivelio_server.workflows.expressions.limits import COMPARISON_STEPS, TIME_STEPS, Budget
from bivelio_server.workflows.expressions.numbers import decimal_from, integer_from, integer_of
from bivelio_server.workflows.expressions.times import duration_from, epoch_seconds, timestamp_at, timestamp_from
from bivelio_server.workflows.expressions.values import NONE, Maybe, Value, adopt, is_number, text_of


def size(value: Value) -> Value:
    if isinstance(value, str | list | dict):
        return len(value)
    raise NoOverloadError


def _int(value: Value) -> Value:
    if isinstance(value, str):
        return integer_from(value)
    if isinstance(value, datetime):
        return epoch_seconds(value)
    if is_number(value):
        return integer_of(value)
    raise NoOverloadError


def _double(value: Value) -> Value:
    if isinstance(value, str):
        return decimal_from(value)
    if is_number(value):
        return Decimal(value)
    raise NoOverloadError


def _string(arguments: Sequence[Value], budget: Budget) -> Value:
    (value,) = arguments
    if value is None or isinstance(value, list | dict | Maybe):
        raise NoOverloadError
    return text_of(value, budget)


def _bool(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    raise NoOverloadError


def _timestamp(arguments: Sequence[Value], budget: Budget) -> Value:
    value, *zone = arguments
    budget.spend(TIME_STEPS)
    if zone:
        return moment_in_zone(text_in(value), text_in(zone[0]), budget)
    if isinstance(value, str):
        return timestamp_from(value)
    if isinstance(value, datetime):
        return value
    if type(value) is int:
        return timestamp_at(value)
    raise NoOverloadError


def _duration(arguments: Sequence[Value], budget: Budget) -> Value:
    (value,) = arguments
    budget.spend(TIME_STEPS)
    if isinstance(value, str):
        return duration_from(value)
    if isinstance(value, timedelta):
        return value
    raise NoOverloadError


def _unchanged(value: Value) -> Value:
    return value


def _coalesce(arguments: Sequence[Value], _budget: Budget) -> Value:
    """The first that is neither null nor missing."""
    for argument in arguments:
        value = argument.value if isinstance(argument, Maybe) else argument
        if value is not None:
            return value
    return None


def _some(value: Value) -> Value:
    return Maybe(True, value)


def _some_unless_zero(value: Value) -> Value:
    empty = value is None or value is False or value == timedelta(0) or (is_number(value) and value == 0)
    return NONE if empty or (isinstance(value, str | list | dict) and not value) else Maybe(True, value)


def _none(_arguments: Sequence[Value], _budget: Budget) -> Value:
    return NONE


def _has_value(value: Value) -> Value:
    return _maybe(value).present


def _value(value: Value) -> Value:
    held = _maybe(value)
    if not held.present:
        raise EvaluationError("El opcional está vacío.", "The optional is empty.")
    return held.value


def _unwrapped(arguments: Sequence[Value], budget: Budget) -> Value:
    """What the optionals of a list hold."""
    items = list_in(arguments[0])
    budget.spend(COMPARISON_STEPS * len(items))
    budget.allocate_members(len(items))
    optionals = [_maybe(adopt(item)) for item in items]
    return [optional.value for optional in optionals if optional.present]


def _maybe(value: Value) -> Maybe:
    if isinstance(value, Maybe):
        return value
    raise NoOverloadError


FUNCTIONS: dict[str, Function] = {
    "size": Function(1, 1, simple(size)),
    "int": Function(1, 1, simple(_int)),
    "double": Function(1, 1, simple(_double)),
    "string": Function(1, 1, _string),
    "bool": Function(1, 1, simple(_bool)),
    "timestamp": Function(1, 2, _timestamp),
    "duration": Function(1, 1, _duration),
    "dyn": Function(1, 1, simple(_unchanged)),
    "optional.of": Function(1, 1, simple(_some)),
    "optional.ofNonZeroValue": Function(1, 1, simple(_some_unless_zero)),
    "optional.none": Function(0, 0, _none),
    "optional.unwrap": Function(1, 1, _unwrapped),
}
METHODS: dict[str, Function] = {
    "size": Function(0, 0, simple(size)),
    "hasValue": Function(0, 0, simple(_has_value)),
    "value": Function(0, 0, simple(_value)),
    "unwrapOpt": Function(0, 0, _unwrapped),
}
EITHER: dict[str, Function] = {
    "date": Function(1, 2, date_of),
    "coalesce": Function(1, MANY, _coalesce),
}
"""Written as a function or as a method, as one likes."""
