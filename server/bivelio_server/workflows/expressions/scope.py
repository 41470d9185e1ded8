"""What one evaluation sees, what it may still spend, and how it reaches the value of a node."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from bivelio_server.workflows.expressions.errors import EvaluationError, ExpressionError, shown
from bivelio_server.workflows.expressions.limits import Budget
from bivelio_server.workflows.expressions.syntax import Node
from bivelio_server.workflows.expressions.values import Value, type_names

_Tree = TypeVar("_Tree", bound=Node)
Rule = Callable[[_Tree, "Scope"], Value]


class Scope:
    """`names` are the variables of the macros around the current node; they hide the others.

    The name of a binding that failed holds why, for whoever reads it.
    """

    __slots__ = ("budget", "names", "variables")
    rules: ClassVar[dict[type[Node], Rule[Any]]] = {}  # each is looked up by the type it takes

    def __init__(self, variables: Mapping[str, object], budget: Budget) -> None:
        self.variables = variables
        self.budget = budget
        self.names: dict[str, Value | EvaluationError] = {}

    def value(self, node: Node) -> Value:
        budget = self.budget
        budget.steps -= 1
        if budget.steps < 0:
            budget.spend(0)
        try:
            return self.rules[type(node)](node, self)
        except ExpressionError as error:
            error.column = error.column or node.column
            raise


def rule(kind: type[_Tree]) -> Callable[[Rule[_Tree]], Rule[_Tree]]:
    """Declares how a kind of node is evaluated."""

    def register(function: Rule[_Tree]) -> Rule[_Tree]:
        Scope.rules[kind] = function
        return function

    return register


def unfit(name: str, *values: Value) -> EvaluationError:
    es, en = type_names(values)
    return EvaluationError(f"«{shown(name)}» no admite: {es}.", f"“{shown(name)}” does not accept: {en}.")


def no_fields(name: str, value: Value) -> EvaluationError:
    """Of what is no map. Null is mostly what a record leaves empty."""
    es, en = type_names([value])
    if value is None:
        return EvaluationError(
            f"No se puede leer «.{shown(name)}» de un valor nulo; con «.?{shown(name)}» puede faltar.",
            f"“.{shown(name)}” cannot be read from null; with “.?{shown(name)}” it may be missing.",
        )
    return EvaluationError(
        f"No se puede leer «.{shown(name)}» de un valor de tipo {es}.",
        f"“.{shown(name)}” cannot be read from a value of type {en}.",
    )


def unfit_operation(operator: str, left: Value, right: Value) -> EvaluationError:
    error = unfit(operator, left, right)
    if operator == "+" and isinstance(left, str) != isinstance(right, str):
        error.message_es += " Para unir textos escribe {{ }} en cada parte, o string()."
        error.message_en += " To join texts write {{ }} around each part, or string()."
    return error
