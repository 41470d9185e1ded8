"""Order and identity of whole lists, without comparing every pair."""

from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta

from bivelio_server.workflows.expressions.errors import NoOverloadError
from bivelio_server.workflows.expressions.limits import (
    COMPARISON_STEPS,
    IDENTITY_BYTES,
    MAX_DATA_DEPTH,
    Budget,
    too_deep,
)
from bivelio_server.workflows.expressions.numbers import CONTEXT, number_text
from bivelio_server.workflows.expressions.values import Maybe, Value, adopt, is_number, keys_of

_KINDS: tuple[type, ...] = (str, datetime, timedelta)


def positions_in_order(items: Iterable[object], budget: Budget) -> list[int]:
    """The positions of the items from the least to the greatest, equals as they were. All of one type, or numbers."""
    keys: list[Value] = [adopt(item) for item in items]
    budget.allocate_members(2 * len(keys))
    budget.spend(len(keys) * (1 + len(keys).bit_length()))
    budget.scan(sum(len(key) for key in keys if isinstance(key, str)) * len(keys).bit_length())
    if not _comparable(keys):
        raise NoOverloadError(*{type(key): key for key in keys}.values())
    return sorted(range(len(keys)), key=keys.__getitem__)  # type: ignore[arg-type] # they are of one type


def _comparable(keys: list[Value]) -> bool:
    if all(is_number(key) for key in keys) or all(isinstance(key, bool) for key in keys):
        return True
    return any(all(isinstance(key, kind) for key in keys) for kind in _KINDS)


def identity(value: Value, budget: Budget, depth: int = 0) -> Hashable:
    """A key that two values share exactly when they are equal.

    Made of texts alone: only their hashes cannot be made to collide on purpose.
    """
    if depth > MAX_DATA_DEPTH:
        raise too_deep()
    budget.spend(COMPARISON_STEPS)
    budget.allocate(IDENTITY_BYTES)
    if isinstance(value, list):
        return ("list", *(identity(adopt(item), budget, depth + 1) for item in value))
    if isinstance(value, dict):
        return _identity_of_map(value, budget, depth)
    if isinstance(value, Maybe):
        return ("optional", str(value.present), identity(value.value, budget, depth + 1))
    return _identity_of_scalar(value, budget)


def _identity_of_map(value: dict[str, object], budget: Budget, depth: int) -> Hashable:
    keys = keys_of(value, budget)
    budget.scan(sum(map(len, keys)))
    return frozenset((key, identity(adopt(value[key]), budget, depth + 1)) for key in keys)


def _identity_of_scalar(value: Value, budget: Budget) -> Hashable:
    if isinstance(value, str):
        budget.scan(len(value))
        return ("string", value)
    if is_number(value):
        text = number_text(value if isinstance(value, int) else CONTEXT.normalize(value))
        budget.allocate(len(text))
        return ("number", text)
    return (type(value).__name__, str(value))
