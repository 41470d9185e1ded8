"""Binary operators and indexing over values."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bivelio_server.workflows.expressions.errors import EvaluationError, NoOverloadError, shown
from bivelio_server.workflows.expressions.limits import COMPARISON_STEPS, Budget
from bivelio_server.workflows.expressions.numbers import (
    Number,
    add,
    divide,
    integer_of,
    modulo,
    multiply,
    subtract,
)
from bivelio_server.workflows.expressions.times import bounded_duration, moved
from bivelio_server.workflows.expressions.values import NONE, Maybe, Value, adopt, equal, is_number, less

Operator = Callable[[Value, Value, Budget], Value]


def field_of(target: Value, name: str) -> Value:
    """A key of a map; the only meaning a dot has. What is reached through an optional is optional too."""
    if type(target) is dict:
        if name not in target:
            raise no_field(name)
        return adopt(target[name])
    if type(target) is Maybe:
        return field_if_any(target, name)
    raise NoOverloadError


def field_if_any(target: Value, name: str) -> Maybe:
    """Nothing is in null, as nothing is in what is missing."""
    if type(target) is Maybe:
        return field_if_any(target.value, name) if target.present else NONE
    if type(target) is dict:
        return Maybe(True, adopt(target[name])) if name in target else NONE
    if target is None:
        return NONE
    raise NoOverloadError


def item_of(target: Value, key: Value, budget: Budget) -> Value:
    if isinstance(target, Maybe):
        return item_if_any(target, key, budget)
    if isinstance(target, list):
        position = _position(target, key)
        if position is None:
            raise EvaluationError(
                f"La lista tiene {len(target)} elementos y no hay posición {shown(key)}.",
                f"The list has {len(target)} items and no position {shown(key)}.",
            )
        return adopt(target[position])
    name = _key(target, key, budget)
    if name is None:
        raise no_field(str(key))
    return field_of(target, name)


def item_if_any(target: Value, key: Value, budget: Budget) -> Maybe:
    if isinstance(target, Maybe):
        return item_if_any(target.value, key, budget) if target.present else NONE
    if target is None:
        return NONE
    if isinstance(target, list):
        position = _position(target, key)
        return NONE if position is None else Maybe(True, adopt(target[position]))
    if isinstance(target, dict) and not isinstance(key, str):
        return NONE
    name = _key(target, key, budget)
    return NONE if name is None else field_if_any(target, name)


def _position(items: list[object], key: Value) -> int | None:
    if not is_number(key):
        raise NoOverloadError
    position = integer_of(key)
    return position if position == key and 0 <= position < len(items) else None


def _key(target: Value, key: Value, budget: Budget) -> str | None:
    """The key as a text; keys of other types are none that a map can have."""
    if not isinstance(target, dict):
        raise NoOverloadError
    if isinstance(key, str):
        budget.scan(len(key))
        return key
    if is_number(key) or isinstance(key, bool):
        return None
    raise NoOverloadError


def no_field(name: str) -> EvaluationError:
    return EvaluationError(f"No existe el campo «{shown(name)}».", f"There is no field “{shown(name)}”.")


def _added(left: Value, right: Value, budget: Budget) -> Value:
    if is_number(left) and is_number(right):
        return add(left, right)
    if isinstance(left, str) and isinstance(right, str):
        budget.allocate_text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        budget.allocate_members(len(left) + len(right))
        return left + right
    if isinstance(right, timedelta):
        return _later(left, right)
    if isinstance(left, timedelta):
        return _later(right, left)
    raise NoOverloadError


def _later(base: Value, length: timedelta) -> Value:
    if isinstance(base, datetime):
        return moved(base, length)
    if isinstance(base, timedelta):
        return bounded_duration(lambda: base + length)
    raise NoOverloadError


def _subtracted(left: Value, right: Value, _budget: Budget) -> Value:
    if is_number(left) and is_number(right):
        return subtract(left, right)
    if isinstance(right, timedelta):
        return _later(left, -right)
    if isinstance(left, datetime) and isinstance(right, datetime):
        return left - right
    raise NoOverloadError


def _arithmetic(operation: Callable[[Number, Number], Number]) -> Operator:
    def operator(left: Value, right: Value, _budget: Budget) -> Value:
        if is_number(left) and is_number(right):
            return operation(left, right)
        raise NoOverloadError

    return operator


def _at_most(left: Value, right: Value, budget: Budget) -> Value:
    return not less(right, left, budget)


def _at_least(left: Value, right: Value, budget: Budget) -> Value:
    return not less(left, right, budget)


def _greater(left: Value, right: Value, budget: Budget) -> Value:
    return less(right, left, budget)


def _different(left: Value, right: Value, budget: Budget) -> Value:
    return not equal(left, right, budget)


def _within(left: Value, right: Value, budget: Budget) -> Value:
    if isinstance(right, list):
        return _among(left, right, budget)
    if isinstance(right, dict) and isinstance(left, str):
        budget.scan(len(left))
        return left in right
    if isinstance(right, dict) and (is_number(left) or isinstance(left, bool)):
        return False
    raise NoOverloadError


def _among(value: Value, items: list[object], budget: Budget) -> bool:
    for item in items:
        budget.spend(COMPARISON_STEPS)
        if equal(value, adopt(item), budget):
            return True
    return False


OPERATORS: dict[str, Operator] = {
    "+": _added,
    "-": _subtracted,
    "*": _arithmetic(multiply),
    "/": _arithmetic(divide),
    "%": _arithmetic(modulo),
    "<": less,
    "<=": _at_most,
    ">": _greater,
    ">=": _at_least,
    "==": equal,
    "!=": _different,
    "in": _within,
}
