"""Where in the tree a step is taken: which names it sees, and how long it may take."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple


class Deadline(NamedTuple):
    """The time by which the step at `path` must be done; the whole run when it is empty."""

    at: datetime
    path: str


@dataclass(frozen=True, slots=True)
class Scope:
    """`prefix` is put before the ids of the steps taken here (`each[3].`); `levels` are the prefixes whose outputs are
    seen from here, the outermost first. `names` are those beside the ones that every step sees."""

    prefix: str = ""
    levels: tuple[str, ...] = ("",)
    names: Mapping[str, Any] = field(default_factory=dict)
    deadline: Deadline | None = None

    def path(self, step_id: str) -> str:
        return f"{self.prefix}{step_id}"

    def turn(self, step_id: str, index: int, *, after: int | None = None, **names: Any) -> "Scope":
        """One pass through the steps of a loop; `after`: the pass whose outputs this one sees besides."""
        prefix = turn_prefix(self.path(step_id), index)
        seen = () if after is None else (turn_prefix(self.path(step_id), after),)
        return replace(
            self, prefix=prefix, levels=(*self.levels, *seen, prefix), names={**self.names, **names, "index": index}
        )

    def knowing(self, **names: Any) -> "Scope":
        return replace(self, names={**self.names, **names})

    def until(self, at: datetime | None, path: str) -> "Scope":
        """Limited by that time too."""
        if at is None or (self.deadline is not None and self.deadline.at <= at):
            return self
        return replace(self, deadline=Deadline(at, path))


def turn_prefix(path: str, index: int) -> str:
    return f"{path}[{index}]."
