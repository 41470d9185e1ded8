"""Which paths of the variables an expression reads, known without running it."""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import TypeVar, cast

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

Path = tuple[str, ...]

_Tree = TypeVar("_Tree", bound=Node)


def references(expression: Expression) -> set[Path]:
    """Every static path from a variable: `steps.a.output[0].x` reads ("steps", "a", "output").

    Variables of macros are not references; a path ends where its next key is computed or is a position.
    """
    found: set[Path] = set()
    _collect(expression.root, frozenset(), found)
    return found


def _collect(node: Node, bound: frozenset[str], found: set[Path]) -> None:
    path = _path(node)
    if path is None:
        for child in _children(node):
            _collect(child, bound, found)
        if isinstance(node, Macro):
            _collect_all((node.condition, node.result), bound | set(node.variables), found)
        elif isinstance(node, Binding):
            _collect_all((node.body,), bound | {node.name}, found)
    elif path[0] not in bound:
        found.add(path)


def _collect_all(nodes: Iterable[Node | None], bound: frozenset[str], found: set[Path]) -> None:
    for node in nodes:
        if node is not None:
            _collect(node, bound, found)


def _path(node: Node) -> Path | None:
    """The whole path when a node is nothing but a name and literal keys."""
    if isinstance(node, Name):
        return (node.name,)
    if isinstance(node, Field | Has):
        return _below(node.target, node.name)
    if isinstance(node, Index) and isinstance(node.key, Literal) and isinstance(node.key.value, str):
        return _below(node.target, node.key.value)
    return None


def _below(target: Node, key: str) -> Path | None:
    above = _path(target)
    return None if above is None else (*above, key)


def _children(node: Node) -> Iterable[Node]:
    """The nodes evaluated in the same scope as this one."""
    children = _CHILDREN.get(type(node))
    return children(node) if children else ()


def _kind(kind: type[_Tree], children: Callable[[_Tree], Iterable[Node]]) -> None:
    _CHILDREN[kind] = cast("Callable[[Node], Iterable[Node]]", children)  # looked up by the node's own type


_CHILDREN: dict[type[Node], Callable[[Node], Iterable[Node]]] = {}
_kind(Field, lambda node: (node.target,))
_kind(Has, lambda node: (node.target,))
_kind(Macro, lambda node: (node.target,))
_kind(Fallback, lambda node: (node.target, node.other))
_kind(Binding, lambda node: (node.value,))
_kind(Index, lambda node: (node.target, node.key))
_kind(Operation, lambda node: (node.left, node.right))
_kind(Junction, lambda node: node.clauses)
_kind(Choice, lambda node: (node.condition, node.positive, node.negative))
_kind(Call, lambda node: node.arguments)
_kind(Negation, lambda node: (node.operand,))
_kind(ListLiteral, lambda node: node.items)
_kind(MapLiteral, lambda node: chain.from_iterable(node.entries))
