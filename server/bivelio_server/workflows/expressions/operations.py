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
from bivelio_server.workflows.expressions.values import Value, adopt, equal, is_number, less

Operator = Callable[[Value, Value, Budget], Value]


def field_of(target: Value, name: str) -> Value:
    """A key of a map; the only meaning a dot has."""
    if type(target) is not dict:
        raise NoOverloadError
    if name not in target:
        raise no_field(name)
    return adopt(target[name])


def item_of(target: Value, key: Value, budget: Budget) -> Value:
    if isinstance(target, dict) and isinstance(key, str):
        budget.scan(len(key))
        return field_of(target, key)
    if isinstance(target, dict) and (is_number(key) or isinstance(key, bool)):
        raise no_field(str(key))
    if isinstance(target, list) and is_number(key):
        position = integer_of(key)
        if position != key or not 0 <= position < len(target):
            raise EvaluationError(
                f"La lista tiene {len(target)} elementos y no hay posición {shown(key)}.",
                f"The list has {len(target)} items and no position {shown(key)}.",
            )
        return adopt(target[position])
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
