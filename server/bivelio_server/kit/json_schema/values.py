"""JSON values as a schema sees them: their types, and when two are the same."""

from collections.abc import Callable, Hashable, Mapping
from decimal import Context, Decimal
from typing import Any, Final, TypeGuard

from bivelio_server.kit.json_schema.limits import VALUE_STEPS, Budget

#: Exact for the longest numbers that the JSON codec lets in.
_EXACT: Final = Context(prec=200)


def is_number(value: Any) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    return is_number(value) and (isinstance(value, int) or _EXACT.remainder(value, 1) == 0)


def is_multiple(value: int | Decimal, of: int | Decimal) -> bool:
    return _EXACT.remainder(Decimal(value), Decimal(of)) == 0


TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "integer": is_integer,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}


def fingerprint(value: Any, budget: Budget) -> Hashable:
    """Equal for values that are the same JSON (`1` and `1.0`, members in any order), and only for them.

    Made of texts alone: only their hashes cannot be made to collide.
    """
    budget.spend(VALUE_STEPS)
    if isinstance(value, str):
        budget.scan(len(value))
        return ("text", value)
    if isinstance(value, list):
        return ("array", tuple([fingerprint(member, budget) for member in value]))
    if isinstance(value, dict):
        return ("object", frozenset((name, fingerprint(member, budget)) for name, member in value.items()))
    if is_number(value):
        return ("number", str(_EXACT.normalize(Decimal(value))) if value else "0")
    return ("constant", str(value))
