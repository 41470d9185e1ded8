"""The tree of an expression. `column` counts from 1 in its source; `depth` is the height of a node's tree."""

from dataclasses import dataclass
from typing import Literal as OneOf

from bivelio_server.workflows.expressions.values import Value


@dataclass(frozen=True, slots=True)
class Node:
    column: int
    depth: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: Value


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Field(Node):
    """`target.name`, or `target.?name`"""

    target: Node
    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`target[key]`, or `target[?key]`"""

    target: Node
    key: Node
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Has(Node):
    """`has(target.name)`"""

    target: Node
    name: str


@dataclass(frozen=True, slots=True)
class Negation(Node):
    """`!operand` or `-operand`"""

    sign: OneOf["!", "-"]
    operand: Node


@dataclass(frozen=True, slots=True)
class Operation(Node):
    """A binary operator other than `&&` and `||`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Junction(Node):
    """`a && b && …` (settled by the first false) or `a || b || …` (settled by the first true)."""

    settles: bool
    clauses: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """`condition ? positive : negative`"""

    condition: Node
    positive: Node
    negative: Node


@dataclass(frozen=True, slots=True)
class ListLiteral(Node):
    """`[a, ?b]`; `optional` holds the positions of the items that may be missing."""

    items: tuple[Node, ...]
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MapLiteral(Node):
    """`{'a': 1, ?'b': c}`; `optional` holds the positions of the entries that may be missing."""

    entries: tuple[tuple[Node, Node], ...]
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(arguments)`, also with a name of two parts; a method's target is its first argument."""

    name: str
    method: bool
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Macro(Node):
    """`target.kind(variable, condition, result)`; which of the last two there are depends on the kind.

    With two variables the first is the position in a list or the key in a map, the second what is there.
    """

    kind: str
    target: Node
    variables: tuple[str, ...]
    condition: Node | None
    result: Node | None


@dataclass(frozen=True, slots=True)
class Binding(Node):
    """`cel.bind(name, value, body)`"""

    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Fallback(Node):
    """`target.or(other)`, or `target.orValue(other)`: the other is evaluated only when the optional is empty."""

    target: Node
    other: Node
    unwraps: bool


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed source, immutable and shared by every run that uses it. `nodes`: how many were read from the source."""

    source: str
    root: Node
    nodes: int = 0
