"""Money is rounded to cents, half up, as invoices are."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_CENT: Final = Decimal("0.01")


def cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_UP)


def near(one: Decimal, other: Decimal, tolerance: Decimal = _CENT) -> bool:
    return abs(one - other) <= tolerance


def tidy(value: Decimal) -> Decimal | int:
    """2.00 pieces are 2, 2.50 hours are 2.5."""
    return int(value) if value == value.to_integral_value() else value.normalize()
