"""Lists, maps and sets: what CEL's extensions define, and a few more."""

from collections.abc import Hashable, Sequence

from bivelio_server.workflows.expressions.errors import EvaluationError
from bivelio_server.workflows.expressions.functions.arguments import Function, list_in, map_in, whole_in
from bivelio_server.workflows.expressions.functions.ordering import identity, positions_in_order
from bivelio_server.workflows.expressions.limits import COMPARISON_STEPS, MAX_DATA_DEPTH, MEMBER_BYTES, Budget
from bivelio_server.workflows.expressions.values import NONE, Maybe, Value, adopt, keys_of


def _sort(arguments: Sequence[Value], budget: Budget) -> Value:
    items = list_in(arguments[0])
    return [items[position] for position in positions_in_order(items, budget)]


def _distinct(arguments: Sequence[Value], budget: Budget) -> Value:
    """The first of those that are equal."""
    items = list_in(arguments[0])
    budget.allocate_members(len(items))
    seen: dict[Hashable, object] = {}
    for item in items:
        seen.setdefault(identity(adopt(item), budget), item)
    return list(seen.values())


def _flatten(arguments: Sequence[Value], budget: Budget) -> Value:
    levels = whole_in(arguments[1]) if len(arguments) == 2 else 1
    if levels < 0:
        raise EvaluationError("Los niveles son cero o más.", "Levels are zero or more.")
    flat = list_in(arguments[0])
    for _ in range(min(levels, MAX_DATA_DEPTH)):
        budget.spend(1 + len(flat) // 8)
        if not any(type(item) is list for item in flat):
            break
        flat = _flatter(flat, budget)
    return flat


def _flatter(items: list[object], budget: Budget) -> list[object]:
    flat: list[object] = []
    budget.spend(len(items))
    for item in items:
        inner = item if type(item) is list else [item]
        budget.spend(1)
        budget.allocate_members(len(inner))
        flat += inner
    return flat


def _slice(arguments: Sequence[Value], budget: Budget) -> Value:
    items, start, end = list_in(arguments[0]), whole_in(arguments[1]), whole_in(arguments[2])
    if not 0 <= start <= end <= len(items):
        raise EvaluationError(
            f"El tramo de {start} a {end} no cabe en una lista de {len(items)} elementos.",
            f"The range from {start} to {end} does not fit in a list of {len(items)} items.",
        )
    budget.allocate_members(end - start)
    return items[start:end]


def _first(arguments: Sequence[Value], _budget: Budget) -> Value:
    items = list_in(arguments[0])
    return Maybe(True, adopt(items[0])) if items else NONE


def _last(arguments: Sequence[Value], _budget: Budget) -> Value:
    items = list_in(arguments[0])
    return Maybe(True, adopt(items[-1])) if items else NONE


def _range(arguments: Sequence[Value], budget: Budget) -> Value:
    count = max(whole_in(arguments[0]), 0)
    budget.allocate_members(count)
    budget.spend(count // 4)
    return list[object](range(count))


def _keys(arguments: Sequence[Value], budget: Budget) -> Value:
    keys = keys_of(map_in(arguments[0]), budget)
    budget.allocate_members(len(keys))
    return list[object](keys)


def _values(arguments: Sequence[Value], budget: Budget) -> Value:
    mapping = map_in(arguments[0])
    budget.spend(len(mapping) // 4)
    budget.allocate_members(len(mapping))
    return list(mapping.values())


def _merge(arguments: Sequence[Value], budget: Budget) -> Value:
    """What the second has counts."""
    first, second = map(map_in, arguments)
    budget.spend((len(first) + len(second)) // 4)
    budget.allocate_members(2 * (len(first) + len(second)))
    return first | second


def _contains_all(arguments: Sequence[Value], budget: Budget) -> Value:
    whole, part = (_identities(argument, budget) for argument in arguments)
    return part <= whole


def _equivalent(arguments: Sequence[Value], budget: Budget) -> Value:
    first, second = (_identities(argument, budget) for argument in arguments)
    return first == second


def _intersects(arguments: Sequence[Value], budget: Budget) -> Value:
    first, second = (_identities(argument, budget) for argument in arguments)
    return not first.isdisjoint(second)


def _identities(argument: Value, budget: Budget) -> set[object]:
    items = list_in(argument)
    budget.spend(COMPARISON_STEPS)
    budget.allocate(MEMBER_BYTES * len(items))
    return {identity(adopt(item), budget) for item in items}


FUNCTIONS: dict[str, Function] = {
    "lists.range": Function(1, 1, _range),
    "sets.contains": Function(2, 2, _contains_all),
    "sets.equivalent": Function(2, 2, _equivalent),
    "sets.intersects": Function(2, 2, _intersects),
}
METHODS: dict[str, Function] = {
    "sort": Function(0, 0, _sort),
    "distinct": Function(0, 0, _distinct),
    "flatten": Function(0, 1, _flatten),
    "slice": Function(2, 2, _slice),
    "first": Function(0, 0, _first),
    "last": Function(0, 0, _last),
}
EITHER: dict[str, Function] = {
    "keys": Function(1, 1, _keys),
    "values": Function(1, 1, _values),
    "merge": Function(2, 2, _merge),
}
