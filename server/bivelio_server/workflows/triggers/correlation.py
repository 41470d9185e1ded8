"""What a waiting run needs of an event, told from its condition before the event comes.

Most conditions compare: `event.data.id == steps.invoice.output.id`. A wait keeps what it compares with, so that of ten
thousand waits an event finds its own by an index. What else the condition says is judged with the values that it reads,
kept too; so only a run whose event has come is woken.
"""

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from bivelio_server.kit import json
from bivelio_server.workflows.expressions import (
    Conventions,
    Expression,
    ExpressionError,
    evaluate,
    parse_template,
    references,
    references_of,
)
from bivelio_server.workflows.expressions.syntax import Field, Index, Junction, Literal, Name, Node, Operation

#: What a condition may name that is not known yet.
_LATER: Final = frozenset({"event", "now"})
_MAX_KNOWN_BYTES: Final = 16_384
_MISSING: Final = object()


class Match(NamedTuple):
    """The event's value at `field` must be the one of this `digest`; `field` is a JSON list of keys."""

    field: str
    digest: str


def match_of(condition: str, variables: Mapping[str, Any], conventions: Conventions) -> Match | None:
    """A comparison without which the condition cannot be true, of a value of the event with what is known: rather with
    what is the run's own than with a constant, which many runs have in common."""
    found: list[tuple[bool, Match]] = []
    for hole in parse_template(condition).holes:
        for clause in _clauses(hole.expression.root):
            path, other = _comparison(clause)
            digest = None if other is None else _known_digest(other, variables, conventions)
            if path is not None and other is not None and digest is not None:
                found.append((not _reads(other), Match(json.dumps(path).decode(), digest)))
    return min(found, key=lambda each: each[0])[1] if found else None


def digest_at(event: Mapping[str, Any], field: str) -> str | None:
    """The digest of the event's value there; None when it has none that could be compared."""
    value: Any = event
    for key in json.loads_trusted(field):
        value = value.get(key, _MISSING) if isinstance(value, dict) else _MISSING
    return _digest(value)


def known_to(condition: str, variables: Mapping[str, Any]) -> dict[str, Any] | None:
    """What of the variables the condition reads; None when that is too much to keep."""
    known: dict[str, Any] = {}
    for path in references_of(condition):
        if path[0] not in _LATER:
            _copy(path, variables, known)
    return known if len(json.dumps(known)) <= _MAX_KNOWN_BYTES else None


def _clauses(node: Node) -> Iterator[Node]:
    """What must be true, each, for the node to be."""
    if isinstance(node, Junction) and not node.settles:
        for clause in node.clauses:
            yield from _clauses(clause)
    else:
        yield node


def _comparison(clause: Node) -> tuple[list[str] | None, Node | None]:
    if isinstance(clause, Operation) and clause.operator == "==":
        for one, other in ((clause.left, clause.right), (clause.right, clause.left)):
            path = _path(one)
            if path is not None and path[0] == "event" and not _reads_later(other):
                return path[1:], other
    return None, None


def _path(node: Node) -> list[str] | None:
    if isinstance(node, Name):
        return [node.name]
    key = _key(node)
    above = _path(node.target) if key is not None and isinstance(node, Field | Index) else None
    return None if above is None or key is None else [*above, key]


def _key(node: Node) -> str | None:
    if isinstance(node, Field) and not node.optional:
        return node.name
    if isinstance(node, Index) and not node.optional and isinstance(node.key, Literal):
        return node.key.value if isinstance(node.key.value, str) else None
    return None


def _reads_later(node: Node) -> bool:
    return any(path[0] in _LATER for path in _reads(node))


def _reads(node: Node) -> set[tuple[str, ...]]:
    return references(Expression("", node))


def _known_digest(node: Node, variables: Mapping[str, Any], conventions: Conventions) -> str | None:
    try:
        return _digest(evaluate(Expression("", node), variables, conventions))
    except ExpressionError:
        return None


def _digest(value: Any) -> str | None:
    """Equal for what expressions find equal; None for what is not to be compared so."""
    match value:
        case bool() | None:
            text = json.dumps(value).decode()
        case int() | Decimal():
            text = format(Decimal(value).normalize(), "f")
        case str():
            text = f"'{value}"
        case _:
            return None
    return hashlib.sha256(text.encode()).hexdigest()


def _copy(path: tuple[str, ...], source: Mapping[str, Any], target: dict[str, Any]) -> None:
    """Only the maps along the path are made anew: what is found at its end is shared."""
    for key in path[:-1]:
        found = source.get(key, _MISSING)
        if not isinstance(found, dict):
            path = (key,)
            break
        source, target = found, target.setdefault(key, {})
        if target is found:
            return
    if path[-1] in source:
        target[path[-1]] = source[path[-1]]
