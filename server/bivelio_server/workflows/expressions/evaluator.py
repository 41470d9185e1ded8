"""Walks a tree over plain data. The only way out other than a value is ExpressionError."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar, cast

from bivelio_server.workflows.expressions.errors import (
    EvaluationError,
    ExpressionError,
    NoOverloadError,
    shown,
)
from bivelio_server.workflows.expressions.functions import FUNCTIONS, METHODS
from bivelio_server.workflows.expressions.limits import (
    ABSORBED_STEPS,
    CALL_STEPS,
    MEMBER_BYTES,
    OPERATION_STEPS,
    Budget,
    too_deep,
)
from bivelio_server.workflows.expressions.numbers import negate
from bivelio_server.workflows.expressions.operations import OPERATORS, field_of, item_of
from bivelio_server.workflows.expressions.syntax import (
    Call,
    Choice,
    Expression,
    Field,
    Has,
    Index,
    Junction,
    ListLiteral,
    Literal,
    Macro,
    MapLiteral,
    Name,
    Negation,
    Node,
    Operation,
)
from bivelio_server.workflows.expressions.values import (
    JSONValue,
    Value,
    adopt,
    exported,
    is_number,
    keys_of,
    type_names,
)

_Tree = TypeVar("_Tree", bound=Node)
_Rule = Callable[[_Tree, "Scope"], Value]
_RULES: dict[type[Node], _Rule[Node]] = {}


class Scope:
    """What one evaluation sees and may still spend."""

    __slots__ = ("budget", "names", "variables")

    def __init__(self, variables: Mapping[str, object], budget: Budget) -> None:
        self.variables = variables
        self.budget = budget
        self.names: dict[str, Value] = {}
        """Variables of the macros around the current node; they hide the others."""


def evaluate(expression: Expression, variables: Mapping[str, object]) -> JSONValue:
    """The value as a fresh JSON copy. `variables` may also hold floats, datetimes and timedeltas."""
    budget = Budget()
    try:
        return exported(value_within(expression, variables, budget), budget)
    except ExpressionError as error:
        error.column = error.column or 1
        raise
    except RecursionError:
        raise too_deep(1) from None


def value_within(expression: Expression, variables: Mapping[str, object], budget: Budget) -> Value:
    """The value before it is copied, sharing a budget with other expressions."""
    return _value(expression.root, Scope(variables, budget))


def _value(node: Node, scope: Scope) -> Value:
    budget = scope.budget
    budget.steps -= 1
    if budget.steps < 0:
        budget.spend(0)
    try:
        return _RULES[type(node)](node, scope)
    except ExpressionError as error:
        error.column = error.column or node.column
        raise


def _rule(kind: type[_Tree]) -> Callable[[_Rule[_Tree]], _Rule[_Tree]]:
    def register(rule: _Rule[_Tree]) -> _Rule[_Tree]:
        _RULES[kind] = cast("_Rule[Node]", rule)  # looked up by the node's own type
        return rule

    return register


@_rule(Literal)
def _literal(node: Literal, _scope: Scope) -> Value:
    return node.value


@_rule(Name)
def _name(node: Name, scope: Scope) -> Value:
    if node.name in scope.names:
        return scope.names[node.name]
    if node.name in scope.variables:
        return adopt(scope.variables[node.name])
    name = shown(node.name)
    raise EvaluationError(f"No existe la variable «{name}».", f"There is no variable “{name}”.")


@_rule(Field)
def _field(node: Field, scope: Scope) -> Value:
    target = _value(node.target, scope)
    try:
        return field_of(target, node.name)
    except NoOverloadError:
        raise _unfit(f".{node.name}", target) from None


@_rule(Index)
def _index(node: Index, scope: Scope) -> Value:
    target, key = _value(node.target, scope), _value(node.key, scope)
    try:
        return item_of(target, key, scope.budget)
    except NoOverloadError:
        raise _unfit("[ ]", target, key) from None


@_rule(Has)
def _has(node: Has, scope: Scope) -> Value:
    target = _value(node.target, scope)
    if isinstance(target, dict):
        return node.name in target
    raise _unfit("has", target)


@_rule(Negation)
def _negation(node: Negation, scope: Scope) -> Value:
    operand = _value(node.operand, scope)
    if node.sign == "!" and isinstance(operand, bool):
        return not operand
    if node.sign == "-" and is_number(operand):
        return negate(operand)
    raise _unfit(node.sign, operand)


@_rule(Operation)
def _operation(node: Operation, scope: Scope) -> Value:
    left, right = _value(node.left, scope), _value(node.right, scope)
    scope.budget.steps -= OPERATION_STEPS  # the next node looks at what is left
    try:
        return OPERATORS[node.operator](left, right, scope.budget)
    except NoOverloadError:
        raise _unfit(node.operator, left, right) from None


@_rule(Junction)
def _junction(node: Junction, scope: Scope) -> Value:
    operator = "||" if node.settles else "&&"
    return _settled(node.settles, (_clause(clause, operator, scope) for clause in node.clauses))


def _clause(node: Node, operator: str, scope: Scope) -> bool | EvaluationError:
    """The truth of a clause, or why it has none, for the caller to absorb."""
    try:
        value = _value(node, scope)
    except EvaluationError as error:
        failure = error.with_traceback(None)  # a kept traceback would keep every frame below
    else:
        if isinstance(value, bool):
            return value
        failure = _unfit(operator, value)
    scope.budget.spend(ABSORBED_STEPS)
    return failure


def _settled(settles: bool, clauses: Iterable[bool | EvaluationError]) -> bool:
    """CEL's `||` (settled by true) and `&&` (by false): a failed clause counts only when no other settles."""
    failure: EvaluationError | None = None
    for clause in clauses:
        if clause is settles:
            return settles
        if isinstance(clause, EvaluationError):
            failure = failure or clause
    if failure:
        raise failure
    return not settles


@_rule(Choice)
def _choice(node: Choice, scope: Scope) -> Value:
    condition = _value(node.condition, scope)
    if not isinstance(condition, bool):
        raise _unfit("? :", condition)
    return _value(node.positive if condition else node.negative, scope)


@_rule(ListLiteral)
def _list(node: ListLiteral, scope: Scope) -> Value:
    scope.budget.allocate_members(len(node.items))
    return [_value(item, scope) for item in node.items]


@_rule(MapLiteral)
def _map(node: MapLiteral, scope: Scope) -> Value:
    scope.budget.allocate_members(2 * len(node.entries))
    built: dict[str, object] = {}
    for key_node, value_node in node.entries:
        key = _value(key_node, scope)
        if not isinstance(key, str):
            raise _unfit("{ }", key)
        if key in built:
            raise EvaluationError(f"La clave «{shown(key)}» se repite.", f"The key “{shown(key)}” is repeated.")
        built[key] = _value(value_node, scope)
    return built


@_rule(Call)
def _call(node: Call, scope: Scope) -> Value:
    arguments = [_value(argument, scope) for argument in node.arguments]
    scope.budget.spend(CALL_STEPS)
    try:
        return (METHODS if node.method else FUNCTIONS)[node.name].run(arguments, scope.budget)
    except NoOverloadError:
        raise _unfit(node.name, *arguments) from None


@_rule(Macro)
def _macro(node: Macro, scope: Scope) -> Value:
    target = _value(node.target, scope)
    if not isinstance(target, list | dict):
        raise _unfit(node.kind, target)
    items: Iterable[object] = keys_of(target, scope.budget) if isinstance(target, dict) else target
    outer, scope.names = scope.names, dict(scope.names)
    try:
        return _MACROS[node.kind](node, items, scope)
    finally:
        scope.names = outer


def _all(node: Macro, items: Iterable[object], scope: Scope) -> Value:
    return _settled(False, (_tested(node, item, scope) for item in items))


def _exists(node: Macro, items: Iterable[object], scope: Scope) -> Value:
    return _settled(True, (_tested(node, item, scope) for item in items))


def _tested(node: Macro, item: object, scope: Scope) -> bool | EvaluationError:
    assert node.condition is not None
    _bind(node, item, scope)
    return _clause(node.condition, node.kind, scope)


def _exists_one(node: Macro, items: Iterable[object], scope: Scope) -> Value:
    return sum(_holds(node, item, scope) for item in items) == 1


def _filtered(node: Macro, items: Iterable[object], scope: Scope) -> Value:
    kept: list[object] = []
    scope.budget.allocate_members(0)
    for item in items:
        if _holds(node, item, scope):
            scope.budget.allocate(MEMBER_BYTES)
            kept.append(item)
    return kept


def _mapped(node: Macro, items: Iterable[object], scope: Scope) -> Value:
    assert node.result is not None
    results: list[object] = []
    scope.budget.allocate_members(0)
    for item in items:
        if _holds(node, item, scope):
            scope.budget.allocate(MEMBER_BYTES)
            results.append(_value(node.result, scope))
    return results


def _holds(node: Macro, item: object, scope: Scope) -> bool:
    """Name the item and test the macro's condition, if it has one."""
    _bind(node, item, scope)
    if node.condition is None:
        return True
    value = _value(node.condition, scope)
    if isinstance(value, bool):
        return value
    raise _unfit(node.kind, value)


def _bind(node: Macro, item: object, scope: Scope) -> None:
    scope.names[node.variable] = adopt(item)


_MACROS: dict[str, Callable[[Macro, Iterable[object], Scope], Value]] = {
    "all": _all,
    "exists": _exists,
    "exists_one": _exists_one,
    "filter": _filtered,
    "map": _mapped,
}


def _unfit(name: str, *values: Value) -> EvaluationError:
    es, en = type_names(values)
    return EvaluationError(f"«{shown(name)}» no admite: {es}.", f"“{shown(name)}” does not accept: {en}.")
