"""The macros: expressions that are evaluated for each member of a list or map, or for what an optional holds."""

from collections.abc import Callable, Iterable, Iterator

from bivelio_server.workflows.expressions.errors import EvaluationError, NoOverloadError, shown
from bivelio_server.workflows.expressions.functions.ordering import positions_in_order
from bivelio_server.workflows.expressions.limits import ABSORBED_STEPS, CONTAINER_BYTES, MEMBER_BYTES, ROUND_STEPS
from bivelio_server.workflows.expressions.scope import Scope, unfit
from bivelio_server.workflows.expressions.syntax import Macro, Node
from bivelio_server.workflows.expressions.values import NONE, Maybe, Value, adopt, keys_of

_Rounds = Iterable[Value]
"""Each round has given the macro's variables their values; what it yields is the last of them."""


def macro(node: Macro, scope: Scope) -> Value:
    target = scope.value(node.target)
    outer, scope.names = scope.names, dict(scope.names)
    try:
        return _MACROS[node.kind](node, _rounds(node, target, scope), scope)
    finally:
        scope.names = outer


def settled(settles: bool, clauses: Iterable[Node], operator: str, scope: Scope) -> bool:
    """CEL's `||` (settled by true) and `&&` (by false): a failed clause counts only when no other settles."""
    failure: EvaluationError | None = None
    for node in clauses:
        outcome = _clause(node, operator, scope)
        if outcome is settles:
            return settles
        if isinstance(outcome, EvaluationError):
            failure = failure or outcome
    if failure:
        raise failure
    return not settles


def _clause(node: Node, operator: str, scope: Scope) -> bool | EvaluationError:
    """The truth of a clause, or why it has none, for the caller to absorb."""
    try:
        value = scope.value(node)
    except EvaluationError as error:
        failure = error.with_traceback(None)  # a kept traceback would keep every frame below
    else:
        if isinstance(value, bool):
            return value
        failure = unfit(operator, value)
    scope.budget.spend(ABSORBED_STEPS)
    return failure


def _rounds(node: Macro, target: Value, scope: Scope) -> Iterator[Value]:
    *first, last = node.variables
    steps = ROUND_STEPS * len(node.variables)
    for key, item in _members(node, target, scope):
        scope.budget.steps -= steps  # the next node looks at what is left
        for name in first:
            scope.names[name] = key
        scope.names[last] = value = adopt(item)
        yield value


def _members(node: Macro, target: Value, scope: Scope) -> Iterable[tuple[Value, object]]:
    """Position and item, key and value; with one variable, a map's keys."""
    if node.kind in _ON_OPTIONALS and isinstance(target, Maybe):
        return [(None, target.value)] if target.present else []
    if isinstance(target, list) and node.kind not in _ON_OPTIONALS:
        return enumerate(target)
    if isinstance(target, dict) and node.kind not in _ON_OPTIONALS:
        keys = keys_of(target, scope.budget)
        return ((key, key if len(node.variables) == 1 else target[key]) for key in keys)
    raise unfit(node.kind, target)


def _all(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    return settled(False, (_condition(node) for _ in rounds), node.kind, scope)


def _exists(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    return settled(True, (_condition(node) for _ in rounds), node.kind, scope)


def _exists_one(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    return sum(_holds(node, scope) for _ in rounds) == 1


def _filtered(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    kept: list[object] = []
    scope.budget.allocate_members(0)
    for item in rounds:
        if _holds(node, scope):
            scope.budget.allocate(MEMBER_BYTES)
            kept.append(item)
    return kept


def _mapped(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    results: list[object] = []
    scope.budget.allocate_members(0)
    for _ in rounds:
        if _holds(node, scope):
            scope.budget.allocate(MEMBER_BYTES)
            results.append(scope.value(_result(node)))
    return results


def _map_of_values(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    """`transformMap`: each key keeps its place."""
    results: dict[str, object] = {}
    scope.budget.allocate_members(0)
    for _ in rounds:
        if _holds(node, scope):
            key = scope.names[node.variables[0]]
            assert not isinstance(key, EvaluationError)
            if not isinstance(key, str):
                raise unfit(node.kind, key)
            scope.budget.allocate(2 * MEMBER_BYTES)
            results[key] = scope.value(_result(node))
    return results


def _map_of_entries(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    """`transformMapEntry`: each round gives entries of its own."""
    results: dict[str, object] = {}
    scope.budget.allocate_members(0)
    for _ in rounds:
        if _holds(node, scope):
            entries = scope.value(_result(node))
            if not isinstance(entries, dict):
                raise unfit(node.kind, entries)
            scope.budget.allocate(2 * MEMBER_BYTES * len(entries))
            _add_entries(results, entries, scope)
    return results


def _add_entries(results: dict[str, object], entries: dict[str, object], scope: Scope) -> None:
    for key in keys_of(entries, scope.budget):
        if key in results:
            raise EvaluationError(f"La clave «{shown(key)}» se repite.", f"The key “{shown(key)}” is repeated.")
        results[key] = entries[key]


def _sorted_by(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    items: list[object] = []
    keys: list[object] = []
    scope.budget.allocate(2 * CONTAINER_BYTES)
    for item in rounds:
        scope.budget.allocate(2 * MEMBER_BYTES)
        items.append(item)
        keys.append(scope.value(_result(node)))
    try:
        return [items[position] for position in positions_in_order(keys, scope.budget)]
    except NoOverloadError as error:
        raise unfit(node.kind, *error.args) from None


def _grouped_by(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    groups: dict[str, object] = {}
    scope.budget.allocate_members(0)
    for item in rounds:
        key = scope.value(_result(node))
        if not isinstance(key, str):
            raise unfit(node.kind, key)
        scope.budget.scan(len(key))
        if key not in groups:
            scope.budget.allocate(2 * MEMBER_BYTES + CONTAINER_BYTES)
            groups[key] = []
        group = groups[key]
        assert isinstance(group, list)
        scope.budget.allocate(MEMBER_BYTES)
        group.append(item)
    return groups


def _through_optional(node: Macro, rounds: _Rounds, scope: Scope) -> Value:
    for _ in rounds:
        value = scope.value(_result(node))
        return value if node.kind == "optFlatMap" else Maybe(True, value)
    return NONE


def _condition(node: Macro) -> Node:
    assert node.condition is not None
    return node.condition


def _result(node: Macro) -> Node:
    assert node.result is not None
    return node.result


def _holds(node: Macro, scope: Scope) -> bool:
    """Whether the macro's condition holds in this round, if it has one."""
    if node.condition is None:
        return True
    value = scope.value(node.condition)
    if isinstance(value, bool):
        return value
    raise unfit(node.kind, value)


_ON_OPTIONALS = frozenset({"optMap", "optFlatMap"})
_MACROS: dict[str, Callable[[Macro, _Rounds, Scope], Value]] = {
    "all": _all,
    "exists": _exists,
    "exists_one": _exists_one,
    "existsOne": _exists_one,
    "filter": _filtered,
    "map": _mapped,
    "sortBy": _sorted_by,
    "groupBy": _grouped_by,
    "transformList": _mapped,
    "transformMap": _map_of_values,
    "transformMapEntry": _map_of_entries,
    "optMap": _through_optional,
    "optFlatMap": _through_optional,
}
