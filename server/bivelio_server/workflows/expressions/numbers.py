"""Exact numbers: 64-bit integers and decimals of 34 digits, free to mix. Division truncates toward zero."""

import re
from collections.abc import Callable
from decimal import Context, Decimal, DecimalException, DivisionByZero, InvalidOperation, Overflow, Underflow

from bivelio_server.workflows.expressions.errors import EvaluationError, shown
from bivelio_server.workflows.expressions.limits import (
    MAX_DIGITS,
    MAX_EXPONENT,
    MAX_INTEGER,
    MAX_NUMBER_TEXT,
    MIN_INTEGER,
)

Number = int | Decimal

CONTEXT = Context(
    prec=MAX_DIGITS,
    Emin=-MAX_EXPONENT,
    Emax=MAX_EXPONENT,
    traps=[InvalidOperation, DivisionByZero, Overflow, Underflow],
)
_INTEGER = re.compile(r"[+-]?[0-9]{1,25}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]{1,9})?")


def int64(value: int) -> int:
    """The same integer, refused when it does not fit in 64 bits."""
    if MIN_INTEGER <= value <= MAX_INTEGER:
        return value
    raise EvaluationError("El entero no cabe en 64 bits.", "The integer does not fit in 64 bits.")


def bounded(value: Decimal | str) -> Decimal:
    """A finite decimal rounded to 34 digits, refused beyond the range of exponents."""
    try:
        number = CONTEXT.create_decimal(value)
    except DecimalException:
        raise _out_of_range() from None
    if not number.is_finite():
        raise _out_of_range()
    return number


def add(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return int64(left + right)
    return _decimal(CONTEXT.add, left, right)


def subtract(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return int64(left - right)
    return _decimal(CONTEXT.subtract, left, right)


def multiply(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return int64(left * right)
    return _decimal(CONTEXT.multiply, left, right)


def divide(left: Number, right: Number) -> Number:
    _refuse_zero(right)
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return int64(quotient if (left < 0) == (right < 0) else -quotient)
    return _decimal(CONTEXT.divide, left, right)


def modulo(left: Number, right: Number) -> Number:
    _refuse_zero(right)
    if isinstance(left, int) and isinstance(right, int):
        if left == MIN_INTEGER and right == -1:
            return int64(-left)
        remainder = abs(left) % abs(right)
        return -remainder if left < 0 else remainder
    return _decimal(CONTEXT.remainder, left, right)


def decimal_root(value: Number) -> Decimal:
    if value < 0:
        raise EvaluationError("Un número negativo no tiene raíz.", "A negative number has no root.")
    return CONTEXT.sqrt(Decimal(value))


def negate(value: Number) -> Number:
    return int64(-value) if isinstance(value, int) else CONTEXT.minus(value)


def integer_of(value: Number) -> int:
    """Truncated toward zero."""
    if isinstance(value, int):
        return value
    if value.adjusted() > 20:
        raise EvaluationError("El entero no cabe en 64 bits.", "The integer does not fit in 64 bits.")
    return int64(int(value))


def integer_from(text: str) -> int:
    if len(text) > MAX_NUMBER_TEXT or not _INTEGER.fullmatch(text):
        raise _not_a_number(text)
    return int64(int(text))


def decimal_from(text: str) -> Decimal:
    if len(text) > MAX_NUMBER_TEXT or not _DECIMAL.fullmatch(text):
        raise _not_a_number(text)
    return bounded(text)


def number_text(value: Number) -> str:
    """All digits, never an exponent nor the sign of a zero."""
    if isinstance(value, int):
        return str(value)
    return format(value or value.copy_abs(), "f")


def _decimal(operation: Callable[[Number, Number], Decimal], left: Number, right: Number) -> Decimal:
    try:
        return operation(left, right)
    except DecimalException:
        raise _out_of_range() from None


def _refuse_zero(divisor: Number) -> None:
    if divisor == 0:
        raise EvaluationError("División por cero.", "Division by zero.")


def _out_of_range() -> EvaluationError:
    return EvaluationError(
        f"El número sale del rango admitido (exponente de -{MAX_EXPONENT} a {MAX_EXPONENT}).",
        f"The number is out of range (exponent from -{MAX_EXPONENT} to {MAX_EXPONENT}).",
    )


def _not_a_number(text: str) -> EvaluationError:
    return EvaluationError(f"«{shown(text)}» no es un número.", f"“{shown(text)}” is not a number.")
