"""A schema made ready to check values: its checks are generators that pay for their work as they go."""

from collections.abc import Callable, Generator
from typing import Any, Final, TypeAlias

from bivelio_server.kit.errors import Problem
from bivelio_server.kit.json_schema.limits import MAX_APPLIED, TRIAL_STEPS, Budget, TooMuch

Problems: TypeAlias = Generator[Problem, None, None]
Check: TypeAlias = Callable[[Any, str, Budget], Problems]
Schema: TypeAlias = dict[str, Any] | bool


class Node:
    """A schema, ready to check values by."""

    __slots__ = ("checks", "of_type")

    def __init__(self) -> None:
        self.of_type: list[Check] = []
        self.checks: list[Check] = []

    def problems(self, value: Any, path: str, budget: Budget) -> Problems:
        """What is wrong with the value at `path`; of one of the wrong type, only that. Raises TooMuch."""
        budget.spend(1)
        budget.applied += 1
        if budget.applied > MAX_APPLIED:
            raise TooMuch
        try:
            fits = True
            for check in self.of_type:
                for found in check(value, path, budget):
                    fits = False
                    yield found
            for check in self.checks if fits else ():
                yield from check(value, path, budget)
        finally:
            budget.applied -= 1

    def accepts(self, value: Any, budget: Budget) -> bool:
        budget.spend(TRIAL_STEPS)
        found = self.problems(value, "", budget)
        try:
            return next(found, None) is None
        finally:
            found.close()


class Nodes:
    """The nodes of one schema and its `$defs`, which are made when a value first needs them."""

    def __init__(self, root: dict[str, Any], fill: Callable[["Nodes", Node, Schema], None]) -> None:
        self._definitions: dict[str, Schema] = root.get("$defs", {})
        self._named: dict[str, Node] = {}
        self._fill = fill

    def of(self, schema: Schema) -> Node:
        node = Node()
        self._fill(self, node, schema)
        return node

    def named(self, reference: str) -> Node:
        """That of `#/$defs/<name>`; it may refer to itself."""
        name = definition_name(reference)
        if name not in self._named:
            node = self._named[name] = Node()
            self._fill(self, node, self._definitions[name])
        return self._named[name]


def definition_name(reference: str) -> str:
    return reference.removeprefix(REFERENCE).replace("~1", "/").replace("~0", "~")


REFERENCE: Final = "#/$defs/"
