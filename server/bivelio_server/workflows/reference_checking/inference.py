"""What an expression reads and gives, known without running it: which fields there cannot be."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from bivelio_server.kit.text import Text
from bivelio_server.workflows.expressions.errors import shown
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
from bivelio_server.workflows.reference_checking.shapes import (
    PLAIN,
    UNKNOWN,
    Fields,
    ListOf,
    Plain,
    Shape,
    any_of,
    either,
)

Scope = Mapping[str, Shape]
"""What every name is like that an expression may use at its place."""

_MOST_NAMES = 20


class Fault(NamedTuple):
    """A name that is not there. The column counts from 1 in the expression."""

    column: int
    text: Text


def inferred(expression: Expression, scope: Scope) -> tuple[Shape, list[Fault]]:
    """What the value is like, and the names that are not there, from the left."""
    reading = _Reading()
    try:
        shape = reading.shape(expression.root, scope)
    except RecursionError:  # of the caller's stack: the expression itself is not that deep
        shape = UNKNOWN
    return shape, sorted(set(reading.faults), key=lambda fault: fault.column)


class _Reading:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def shape(self, node: Node, scope: Scope) -> Shape:
        return _RULES[type(node)](self, node, scope)

    def all(self, nodes: Iterable[Node | None], scope: Scope) -> list[Shape]:
        return [self.shape(node, scope) for node in nodes if node is not None]

    def name(self, node: Name, scope: Scope) -> Shape:
        if node.name in scope:
            return scope[node.name]
        return self._miss(node.column, _NO_NAME.format(name=shown(node.name), known=_listed(scope)))

    def field(self, node: Field | Has, scope: Scope) -> Shape:
        return self._member(self.shape(node.target, scope), node.target, node.name, node.column)

    def has(self, node: Has, scope: Scope) -> Shape:
        self.field(node, scope)
        return PLAIN

    def index(self, node: Index, scope: Scope) -> Shape:
        target = self.shape(node.target, scope)
        self.shape(node.key, scope)
        if isinstance(target, ListOf):
            return target.item
        if isinstance(node.key, Literal) and isinstance(node.key.value, str):
            return self._member(target, node.target, node.key.value, node.column)
        return UNKNOWN

    def _member(self, target: Shape, owner: Node, name: str, column: int) -> Shape:
        if isinstance(target, Fields):
            if name in target.named:
                return target.named[name]
            if target.others is not None:
                return target.others
            texts = (_NO_STEP, _NO_STEPS) if isinstance(owner, Name) and owner.name == "steps" else (_NO_FIELD, _EMPTY)
            text = texts[0] if target.named else texts[1]
            return self._miss(column, text.format(name=shown(name), owner=_written(owner), known=_listed(target.named)))
        if isinstance(target, ListOf):
            return self._miss(column, _A_LIST.format(name=shown(name), owner=_written(owner)))
        if isinstance(target, Plain):
            return self._miss(column, _PLAIN.format(name=shown(name), owner=_written(owner)))
        return UNKNOWN

    def _miss(self, column: int, text: Text) -> Shape:
        self.faults.append(Fault(column, text))
        return UNKNOWN

    def operation(self, node: Operation, scope: Scope) -> Shape:
        left, right = self.all((node.left, node.right), scope)
        lists = isinstance(left, ListOf) and isinstance(right, ListOf)
        return either(left, right) if node.operator == "+" and lists else UNKNOWN

    def choice(self, node: Choice, scope: Scope) -> Shape:
        _, positive, negative = self.all((node.condition, node.positive, node.negative), scope)
        return either(positive, negative)

    def fallback(self, node: Fallback, scope: Scope) -> Shape:
        return either(*self.all((node.target, node.other), scope))

    def binding(self, node: Binding, scope: Scope) -> Shape:
        return self.shape(node.body, {**scope, node.name: self.shape(node.value, scope)})

    def list(self, node: ListLiteral, scope: Scope) -> Shape:
        return ListOf(any_of(self.all(node.items, scope)))

    def map(self, node: MapLiteral, scope: Scope) -> Shape:
        named: dict[str, Shape] = {}
        certain = True
        for key, value in node.entries:
            self.shape(key, scope)
            shape = self.shape(value, scope)
            if isinstance(key, Literal) and isinstance(key.value, str):
                named[key.value] = shape
            else:
                certain = False
        return Fields(named, None if certain else UNKNOWN)

    def call(self, node: Call, scope: Scope) -> Shape:
        shapes = self.all(node.arguments, scope)
        first = shapes[0] if shapes else UNKNOWN
        if node.name in _SAME:
            return first
        if node.name in _ITEM and isinstance(first, ListOf):
            return first.item
        return any_of(shapes) if node.name == "coalesce" else UNKNOWN

    def macro(self, node: Macro, scope: Scope) -> Shape:
        target = self.shape(node.target, scope)
        *keys, item = node.variables
        inner = {**scope, **dict.fromkeys(keys, PLAIN), item: _item(target, node)}
        self.all((node.condition,), inner)
        result = self.shape(node.result, inner) if node.result is not None else UNKNOWN
        if node.kind in _KEEPING:
            return target if isinstance(target, ListOf) else UNKNOWN
        if node.kind in _MAPPING:
            return ListOf(result)
        if node.kind == "groupBy":
            return Fields({}, target if isinstance(target, ListOf) else UNKNOWN)
        return result if node.kind in {"optMap", "optFlatMap"} else UNKNOWN

    def nothing(self, node: Node, scope: Scope) -> Shape:
        self.all(_children(node), scope)
        return UNKNOWN


def _item(target: Shape, node: Macro) -> Shape:
    """What the macro's last variable is like."""
    if node.kind in {"optMap", "optFlatMap"}:
        return target
    if isinstance(target, ListOf):
        return target.item
    return PLAIN if isinstance(target, Fields) and len(node.variables) == 1 else UNKNOWN


def _children(node: Node) -> Iterable[Node]:
    match node:
        case Junction():
            return node.clauses
        case Negation():
            return (node.operand,)
    return ()


def _written(node: Node) -> str:
    """The way to a value as its author wrote it, as far as that is short."""
    match node:
        case Name():
            return node.name
        case Field():
            return f"{_written(node.target)}.{node.name}"
        case Index(key=Literal(value=str() as name)):
            return f"{_written(node.target)}.{name}"
        case Index():
            return f"{_written(node.target)}[…]"
    return "…"


def _listed(names: Iterable[str]) -> str:
    known = sorted(names)
    return ", ".join(known[:_MOST_NAMES]) + (", …" if len(known) > _MOST_NAMES else "")


#: What these give is like what they are given first, or like its items.
_SAME = frozenset({"sort", "reverse", "distinct", "slice", "dyn", "value", "optional.of", "optional.ofNonZeroValue"})
_ITEM = frozenset({"first", "last"})
_KEEPING = frozenset({"filter", "sortBy"})
_MAPPING = frozenset({"map", "transformList"})
_RULES: dict[type[Node], Callable[[_Reading, Any, Scope], Shape]] = {  # each is looked up by the type it takes
    Literal: lambda _reading, _node, _scope: PLAIN,
    Name: _Reading.name,
    Field: _Reading.field,
    Has: _Reading.has,
    Index: _Reading.index,
    Operation: _Reading.operation,
    Choice: _Reading.choice,
    Fallback: _Reading.fallback,
    Binding: _Reading.binding,
    ListLiteral: _Reading.list,
    MapLiteral: _Reading.map,
    Call: _Reading.call,
    Macro: _Reading.macro,
    Junction: _Reading.nothing,
    Negation: _Reading.nothing,
}

_NO_NAME = Text("'{name}' no existe aquí; hay: {known}.", "'{name}' does not exist here; there are: {known}.")
_NO_STEP = Text(
    "No hay un paso anterior '{name}'; hay: {known}.", "There is no earlier step '{name}'; there are: {known}."
)
_NO_STEPS = Text("No hay un paso anterior '{name}'.", "There is no earlier step '{name}'.")
_NO_FIELD = Text("'{owner}' no tiene '{name}'; tiene: {known}.", "'{owner}' has no '{name}'; it has: {known}.")
_EMPTY = Text("'{owner}' no tiene '{name}' ni nada más.", "'{owner}' has no '{name}', nor anything else.")
_A_LIST = Text(
    "'{owner}' es una lista y no tiene '{name}'; sus elementos, sí: usa [0] o map.",
    "'{owner}' is a list and has no '{name}', as its items may: use [0] or map.",
)
_PLAIN = Text("'{owner}' no tiene campos, y por tanto no '{name}'.", "'{owner}' has no fields, so it has no '{name}'.")
