"""Walks a tree over plain data. The only way out other than a value is ExpressionError."""

from collections.abc import Iterable, Mapping

from bivelio_server.workflows.expressions.conventions import USUAL, Conventions
from bivelio_server.workflows.expressions.errors import (
    EvaluationError,
    ExpressionError,
    NoOverloadError,
    shown,
)
from bivelio_server.workflows.expressions.functions import FUNCTIONS, METHODS
from bivelio_server.workflows.expressions.limits import (
    ABSORBED_STEPS,
    BINDING_STEPS,
    CALL_STEPS,
    OPERATION_STEPS,
    Budget,
    too_deep,
)
from bivelio_server.workflows.expressions.macros import macro, settled
from bivelio_server.workflows.expressions.numbers import negate
from bivelio_server.workflows.expressions.operations import (
    OPERATORS,
    field_if_any,
    field_of,
    item_if_any,
    item_of,
)
from bivelio_server.workflows.expressions.scope import Scope, no_fields, rule, unfit, unfit_operation
from bivelio_server.workflows.expressions.syntax import (
    Binding,
    Call,
    Choice,
    Expression,
    Fallback,
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
from bivelio_server.workflows.expressions.values import JSONValue, Maybe, Value, adopt, exported, is_number


def evaluate(expression: Expression, variables: Mapping[str, object], conventions: Conventions = USUAL) -> JSONValue:
    """The value as a fresh JSON copy. `variables` may also hold floats, datetimes and timedeltas."""
    budget = Budget(conventions)
    try:
        return exported(value_within(expression, variables, budget), budget)
    except ExpressionError as error:
        error.column = error.column or 1
        raise
    except RecursionError:
        raise too_deep(1) from None


def value_within(expression: Expression, variables: Mapping[str, object], budget: Budget) -> Value:
    """The value before it is copied, sharing a budget with other expressions."""
    return Scope(variables, budget).value(expression.root)


rule(Macro)(macro)


@rule(Literal)
def _literal(node: Literal, _scope: Scope) -> Value:
    return node.value


@rule(Name)
def _name(node: Name, scope: Scope) -> Value:
    if node.name in scope.names:
        value = scope.names[node.name]
        if isinstance(value, EvaluationError):
            raise value
        return value
    if node.name in scope.variables:
        return adopt(scope.variables[node.name])
    name = shown(node.name)
    raise EvaluationError(f"No existe la variable «{name}».", f"There is no variable “{name}”.")


@rule(Field)
def _field(node: Field, scope: Scope) -> Value:
    target = scope.value(node.target)
    try:
        return field_if_any(target, node.name) if node.optional else field_of(target, node.name)
    except NoOverloadError:
        raise no_fields(node.name, target) from None


@rule(Index)
def _index(node: Index, scope: Scope) -> Value:
    target, key = scope.value(node.target), scope.value(node.key)
    try:
        return (item_if_any if node.optional else item_of)(target, key, scope.budget)
    except NoOverloadError:
        raise unfit("[ ]", target, key) from None


@rule(Has)
def _has(node: Has, scope: Scope) -> Value:
    target = scope.value(node.target)
    try:
        if isinstance(target, Maybe):
            return field_if_any(target, node.name).present
    except NoOverloadError:
        raise unfit("has", target) from None
    if isinstance(target, dict):
        return node.name in target
    raise unfit("has", target)


@rule(Negation)
def _negation(node: Negation, scope: Scope) -> Value:
    operand = scope.value(node.operand)
    if node.sign == "!" and isinstance(operand, bool):
        return not operand
    if node.sign == "-" and is_number(operand):
        return negate(operand)
    raise unfit(node.sign, operand)


@rule(Operation)
def _operation(node: Operation, scope: Scope) -> Value:
    left, right = scope.value(node.left), scope.value(node.right)
    scope.budget.steps -= OPERATION_STEPS  # the next node looks at what is left
    try:
        return OPERATORS[node.operator](left, right, scope.budget)
    except NoOverloadError:
        raise unfit_operation(node.operator, left, right) from None


@rule(Junction)
def _junction(node: Junction, scope: Scope) -> Value:
    return settled(node.settles, node.clauses, "||" if node.settles else "&&", scope)


@rule(Choice)
def _choice(node: Choice, scope: Scope) -> Value:
    condition = scope.value(node.condition)
    if not isinstance(condition, bool):
        raise unfit("? :", condition)
    return scope.value(node.positive if condition else node.negative)


@rule(ListLiteral)
def _list(node: ListLiteral, scope: Scope) -> Value:
    scope.budget.allocate_members(len(node.items))
    if not node.optional:
        return [scope.value(item) for item in node.items]
    return [
        value for position, item in enumerate(node.items) for value in _given(item, position in node.optional, scope)
    ]


@rule(MapLiteral)
def _map(node: MapLiteral, scope: Scope) -> Value:
    scope.budget.allocate_members(2 * len(node.entries))
    built: dict[str, object] = {}
    for position, (key_node, value_node) in enumerate(node.entries):
        key = scope.value(key_node)
        if not isinstance(key, str):
            raise unfit("{ }", key)
        if key in built:
            raise EvaluationError(f"La clave «{shown(key)}» se repite.", f"The key “{shown(key)}” is repeated.")
        for value in _given(value_node, position in node.optional, scope):
            built[key] = value
    return built


def _given(node: Node, optional: bool, scope: Scope) -> Iterable[Value]:
    """The value of a member of a list or map; none when it may be missing and is."""
    value = scope.value(node)
    if not optional:
        return (value,)
    if not isinstance(value, Maybe):
        raise unfit("?", value)
    return (value.value,) if value.present else ()


@rule(Call)
def _call(node: Call, scope: Scope) -> Value:
    arguments = [scope.value(argument) for argument in node.arguments]
    scope.budget.spend(CALL_STEPS)
    try:
        return (METHODS if node.method else FUNCTIONS)[node.name].run(arguments, scope.budget)
    except NoOverloadError as error:
        raise unfit(node.name, *(error.args or arguments)) from None


@rule(Fallback)
def _fallback(node: Fallback, scope: Scope) -> Value:
    held = scope.value(node.target)
    if not isinstance(held, Maybe):
        raise unfit("orValue" if node.unwraps else "or", held)
    if held.present:
        return held.value if node.unwraps else held
    other = scope.value(node.other)
    if not node.unwraps and not isinstance(other, Maybe):
        raise unfit("or", other)
    return other


@rule(Binding)
def _binding(node: Binding, scope: Scope) -> Value:
    """As in CEL, a value that fails matters only where its name is read."""
    scope.budget.spend(BINDING_STEPS)
    outer, names = scope.names, dict(scope.names)
    try:
        names[node.name] = scope.value(node.value)
    except EvaluationError as error:
        scope.budget.spend(ABSORBED_STEPS)
        names[node.name] = error.with_traceback(None)
    scope.names = names
    try:
        return scope.value(node.body)
    finally:
        scope.names = outer
