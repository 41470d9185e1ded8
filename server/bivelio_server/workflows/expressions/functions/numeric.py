"""Rounding and other arithmetic, exact; halves are rounded away from zero, as in CEL and on invoices."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Decimal,
    InvalidOperation,
)
from functools import partial

from bivelio_server.workflows.expressions.errors import EvaluationError
from bivelio_server.workflows.expressions.functions.arguments import (
    MANY,
    Function,
    list_in,
    number_in,
    simple,
    whole_in,
)
from bivelio_server.workflows.expressions.limits import COMPARISON_STEPS, MAX_DIGITS, ROUNDING_STEPS, Budget
from bivelio_server.workflows.expressions.numbers import (
    CONTEXT,
    Number,
    add,
    decimal_root,
    divide,
    int64,
    negate,
)
from bivelio_server.workflows.expressions.times import bounded_duration
from bivelio_server.workflows.expressions.values import Value, adopt, less


def rounded(value: Number, digits: int) -> Number:
    """To so many decimals; before the point when negative. Whole numbers stay whole."""
    if not -MAX_DIGITS <= digits <= MAX_DIGITS:
        raise EvaluationError(
            f"Los decimales van de -{MAX_DIGITS} a {MAX_DIGITS}.", f"Decimals go from -{MAX_DIGITS} to {MAX_DIGITS}."
        )
    if isinstance(value, int):
        return value if digits >= 0 else int64(int(_quantized(Decimal(value), digits)))
    return _quantized(value, digits)


def _quantized(value: Decimal, digits: int) -> Decimal:
    try:
        return value.quantize(Decimal((0, (1,), -digits)), ROUND_HALF_UP, CONTEXT)
    except InvalidOperation:
        return value  # more digits than there is room for, so there are none to lose


def _round(arguments: Sequence[Value], budget: Budget) -> Value:
    budget.spend(ROUNDING_STEPS)
    value, *digits = arguments
    return rounded(number_in(value), whole_in(digits[0]) if digits else 0)


def _to_whole(rounding: str, value: Value) -> Value:
    number = number_in(value)
    return number if isinstance(number, int) else number.to_integral_value(rounding, CONTEXT)


def _abs(value: Value) -> Value:
    number = number_in(value)
    return negate(number) if number < 0 else number


def _sign(value: Value) -> Value:
    number = number_in(value)
    sign = (number > 0) - (number < 0)
    return sign if isinstance(number, int) else Decimal(sign)


def _sqrt(arguments: Sequence[Value], budget: Budget) -> Value:
    budget.spend(ROUNDING_STEPS)
    return decimal_root(number_in(arguments[0]))


def _extreme_number(arguments: Sequence[Value], budget: Budget, *, greatest: bool) -> Value:
    """CEL's `math.greatest` and `math.least`: of some numbers or of a list of them."""
    items = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
    budget.spend(len(items))
    return _extreme([number_in(adopt(item)) for item in items], budget, greatest=greatest)


def _extreme_of_all(arguments: Sequence[Value], budget: Budget, *, greatest: bool) -> Value:
    """Of some values or of a list of them, whatever can be compared."""
    items = list_in(arguments[0]) if len(arguments) == 1 else arguments
    budget.spend(len(items))
    return _extreme([adopt(item) for item in items], budget, greatest=greatest)


def _extreme(values: Sequence[Value], budget: Budget, *, greatest: bool) -> Value:
    _require_some(values)
    chosen = values[0]
    for value in values:
        budget.spend(COMPARISON_STEPS)
        if less(chosen, value, budget) if greatest else less(value, chosen, budget):
            chosen = value
    return chosen


def _sum(arguments: Sequence[Value], budget: Budget) -> Value:
    items = list_in(arguments[0])
    budget.spend(COMPARISON_STEPS * len(items))
    values = [adopt(item) for item in items]
    if values and all(isinstance(value, timedelta) for value in values):
        return _total_length(values)
    total: Number = 0
    for value in values:
        total = add(total, number_in(value))
    return total


def _total_length(lengths: Sequence[Value]) -> timedelta:
    total = timedelta(0)
    for length in lengths:
        assert isinstance(length, timedelta)
        total = bounded_duration(partial(total.__add__, length))
    return total


def _average(arguments: Sequence[Value], budget: Budget) -> Value:
    budget.spend(ROUNDING_STEPS)
    total = _sum(arguments, budget)
    items = list_in(arguments[0])
    _require_some(items)
    return divide(Decimal(number_in(total)), len(items))


def _require_some(values: Sequence[object]) -> None:
    if not values:
        raise EvaluationError("La lista está vacía.", "The list is empty.")


def _whole(rounding: str) -> Function:
    return Function(1, 1, simple(partial(_to_whole, rounding)))


FUNCTIONS: dict[str, Function] = {
    "math.round": Function(1, 2, _round),
    "math.ceil": _whole(ROUND_CEILING),
    "math.floor": _whole(ROUND_FLOOR),
    "math.trunc": _whole(ROUND_DOWN),
    "math.abs": Function(1, 1, simple(_abs)),
    "math.sign": Function(1, 1, simple(_sign)),
    "math.sqrt": Function(1, 1, _sqrt),
    "math.greatest": Function(1, MANY, partial(_extreme_number, greatest=True)),
    "math.least": Function(1, MANY, partial(_extreme_number, greatest=False)),
    "min": Function(1, MANY, partial(_extreme_of_all, greatest=False)),
    "max": Function(1, MANY, partial(_extreme_of_all, greatest=True)),
}
METHODS: dict[str, Function] = {
    "min": Function(0, 0, partial(_extreme_of_all, greatest=False)),
    "max": Function(0, 0, partial(_extreme_of_all, greatest=True)),
}
EITHER: dict[str, Function] = {
    "round": Function(1, 2, _round),
    "sum": Function(1, 1, _sum),
    "avg": Function(1, 1, _average),
}
