"""What a retry does again: which steps of a run are replaced, and which of those that hold steps go on.

A run goes on where a walk through its tree would not get past: at steps that failed without anybody minding, or that
were cancelled. A chosen step is done again besides, with all that comes after it: in its own list, and after each of
the steps that hold it in theirs. Those that hold it are reopened, with the branch, the items or the passes that they
had. Branches beside it and other items stay as they are. Pure: it looks at a definition and at what was taken of it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from bivelio_server.kit.errors import Impossible, NotFound, Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import (
    Definition,
    ForEachStep,
    IfStep,
    ParallelStep,
    Step,
    StopStep,
    SwitchStep,
    WhileStep,
    branches,
    kind_of,
)

_PASS: Final = re.compile(r"\[(\d+)\]\.")
_ON_ERROR: Final = "on_error"
_Loop: Final = ForEachStep | WhileStep
_Holder: Final = IfStep | SwitchStep | ParallelStep | ForEachStep | WhileStep


class Taken(NamedTuple):
    """A step as its run has taken it. Of one that holds steps: the branch, how many items, how many passes begun."""

    path: str
    uses: str
    status: str
    branch: Any = None
    items: int | None = None
    begun: int | None = None


class Reopened(NamedTuple):
    """A step that goes on with what was prepared for it, or with something else instead."""

    path: str
    keeps: bool = True
    prepared: dict[str, Any] | None = None


class Again(NamedTuple):
    """`replaced`: the paths of what is done anew."""

    replaced: frozenset[str]
    reopened: tuple[Reopened, ...]


def plan(
    definition: Definition, taken: Iterable[Taken], from_step: str | None = None, *, other_version: bool = False
) -> Again:
    """What is done again under `definition`, which is that of the run or an `other_version`.

    Raises NotFound when `from_step` is none of its paths; Impossible when the run has not come there, or when what it
    would keep is of another kind now.
    """
    planner = _Planner(definition, {row.path: row for row in taken}, other_version=other_version)
    planner.replace_unknown()
    if from_step is not None:
        planner.choose(from_step)
    planner.sweep(definition.steps, "")
    planner.replace(definition.on_error, "")
    planner.require_same_kinds()
    return planner.result()


class _Hop(NamedTuple):
    """On the way to a step: a list of steps, the place in it, and in which list of that step it goes on."""

    steps: Sequence[Step]
    position: int
    place: str

    @property
    def step(self) -> Step:
        return self.steps[self.position]


class _Planner:
    def __init__(self, definition: Definition, taken: Mapping[str, Taken], *, other_version: bool) -> None:
        self._ways = {hops[-1].step.id: hops for hops in _ways(definition.steps)}
        self._handler_ways = {hops[-1].step.id: hops for hops in _ways(definition.on_error)}
        self._taken = taken
        self._other_version = other_version
        self._passes = _passes(taken)
        self._replaced: set[str] = set()
        self._reopened: dict[str, Reopened] = {}
        self._last_pass: dict[str, int] = {}
        self._chosen: frozenset[str] = frozenset()

    def result(self) -> Again:
        return Again(frozenset(self._replaced), tuple(self._reopened.values()))

    def replace_unknown(self) -> None:
        """What is no part of the definition any more."""
        for path in self._taken:
            if _located(self._ways, path) is None and _located(self._handler_ways, path) is None:
                self._replaced.add(path)

    def replace(self, steps: Iterable[Step], prefix: str) -> None:
        """These steps and whatever lies within them."""
        for step in steps:
            path = prefix + step.id
            if path in self._taken:
                self._replaced.add(path)
            for branch in branches(step):
                for inner in self._inner_prefixes(step, branch.place, prefix):
                    self.replace(branch.steps, inner)

    def choose(self, path: str) -> None:
        located = _located(self._ways, path)
        if located is None:
            if _located(self._handler_ways, path) is not None:
                raise Impossible(Problem("from_step", "not_in_handler", _IN_HANDLER))
            raise NotFound("from_step")
        if path not in self._taken and not self._other_version:
            raise _not_reached()
        *holders, (last, prefix, _) = located
        for hop, outer, index in holders:
            self._choose_within(hop, outer, index, was_taken=path in self._taken)
        self.replace(last.steps[last.position :], prefix)
        self._chosen = frozenset(outer + hop.step.id for hop, outer, _ in holders)

    def sweep(self, steps: Iterable[Step], prefix: str, *, tolerant: bool = False) -> None:
        """Replace what a walk through these steps would not get past. When it is `tolerant`, they may fail."""
        for step in steps:
            path = prefix + step.id
            row = self._taken.get(path)
            if row is None or path in self._replaced:
                continue
            if path in self._reopened:
                self._sweep_within(step, row, prefix)
            elif row.status == "completed":
                if isinstance(step, StopStep):
                    self.replace([step], prefix)
            elif row.status == "failed" and step.on_error != "fail":
                if isinstance(step.on_error, list):
                    self.sweep(step.on_error, prefix, tolerant=tolerant)
            elif row.status != "failed" or not tolerant:
                self._redo(step, row, prefix)

    def require_same_kinds(self) -> None:
        for path, row in self._taken.items():
            if path not in self._replaced:
                step = self._ways[_id_of(path)][-1].step
                if kind_of(step) != row.uses:
                    raise Impossible(Problem("version", "same_steps", _OTHER_KIND.format(path=path, uses=row.uses)))

    def _choose_within(self, hop: _Hop, prefix: str, index: int | None, *, was_taken: bool) -> None:
        """Reopen a step that holds the chosen one. Raises Impossible when the run did not come into that part of it."""
        step, path = hop.step, prefix + hop.step.id
        row = self._taken.get(path)
        if row is None or not (was_taken or _is_within(row, hop.place, index)):
            raise _not_reached()
        self.replace(hop.steps[hop.position + 1 :], prefix)
        if hop.place == _ON_ERROR:
            return
        if isinstance(step.on_error, list):
            self.replace(step.on_error, prefix)
        self._reopen(path, _prepared(step, hop.place, index))
        if isinstance(step, WhileStep) and index is not None:
            self._last_pass[path] = index
            for later in self._passes[path]:
                if later > index:
                    self.replace(step.steps, f"{path}[{later}].")

    def _redo(self, step: Step, row: Taken, prefix: str) -> None:
        """A step that holds others goes on with those that are not done."""
        if not isinstance(step, _Holder) or not self._has_taken_any(step, prefix):
            self.replace([step], prefix)
            return
        match step:
            case WhileStep():
                last = self._last_pass[row.path] = max(self._passes[row.path])
                self._reopen(row.path, {"begun": last + 1})
            case IfStep() | SwitchStep() if self._other_version:
                self._reopened[row.path] = Reopened(row.path, keeps=False)
            case _:
                self._reopen(row.path)
        self._sweep_within(step, row, prefix)

    def _has_taken_any(self, step: Step, prefix: str) -> bool:
        """Whether anything within it was taken."""
        return any(
            inner + each.id in self._taken
            for branch in branches(step)
            for inner in self._inner_prefixes(step, branch.place, prefix)
            for each in branch.steps
            if branch.place != _ON_ERROR
        )

    def _sweep_within(self, step: Step, row: Taken, prefix: str) -> None:
        match step:
            case ForEachStep():
                for index in self._passes[row.path]:
                    self.sweep(step.steps, f"{row.path}[{index}].", tolerant=step.on_item_error == "continue")
            case WhileStep():
                self.sweep(step.steps, f"{row.path}[{self._last_pass[row.path]}].")
            case _:
                may_fail = isinstance(step, ParallelStep) and step.join == "first"
                for branch in branches(step):
                    if branch.place != _ON_ERROR:
                        lost = row.status == "failed" and row.path not in self._chosen
                        self.sweep(branch.steps, prefix, tolerant=may_fail and not lost)

    def _reopen(self, path: str, prepared: dict[str, Any] | None = None) -> None:
        self._reopened[path] = Reopened(path, prepared is None, prepared)

    def _inner_prefixes(self, step: Step, place: str, prefix: str) -> Iterator[str]:
        if isinstance(step, _Loop) and place != _ON_ERROR:
            path = prefix + step.id
            yield from (f"{path}[{index}]." for index in self._passes[path])
        else:
            yield prefix


def _ways(steps: Sequence[Step], before: tuple[_Hop, ...] = ()) -> Iterator[tuple[_Hop, ...]]:
    """The way to each step, and to each within it."""
    for position, step in enumerate(steps):
        yield (*before, _Hop(steps, position, ""))
        for branch in branches(step):
            yield from _ways(branch.steps, (*before, _Hop(steps, position, branch.place)))


def _located(ways: Mapping[str, tuple[_Hop, ...]], path: str) -> list[tuple[_Hop, str, int | None]] | None:
    """The way to the step at that path, each hop with the prefix there and, in a loop, the pass."""
    pieces = [(match[0], int(match[1])) for match in _PASS.finditer(path)]
    prefix, found = "", []
    for hop in ways.get(_id_of(path), ()):
        index = None
        if isinstance(hop.step, _Loop) and hop.place not in ("", _ON_ERROR):
            if not pieces:
                return None
            index = pieces.pop(0)[1]
        found.append((hop, prefix, index))
        if index is not None:
            prefix = f"{prefix}{hop.step.id}[{index}]."
    return found if found and prefix + _id_of(path) == path else None


def _passes(taken: Iterable[str]) -> Mapping[str, list[int]]:
    """Of each loop, by its path, the passes in which something was taken."""
    found: dict[str, set[int]] = defaultdict(set)
    for path in taken:
        for match in _PASS.finditer(path):
            found[path[: match.start()]].add(int(match[1]))
    return defaultdict(list, {path: sorted(indexes) for path, indexes in found.items()})


def _is_within(row: Taken, place: str, index: int | None) -> bool:
    """Whether the run came into that part of a step that holds others."""
    if place == _ON_ERROR:
        return row.status == "failed"
    if row.branch is not None:
        return bool(row.branch == _branch(place))
    return index is None or index < (row.items if row.items is not None else row.begun or 0)


def _prepared(step: Step, place: str, index: int | None) -> dict[str, Any] | None:
    """So that the walk comes to the chosen step again; None: as it is."""
    match step:
        case IfStep() | SwitchStep():
            return {"branch": _branch(place)}
        case WhileStep():
            return {"begun": (index or 0) + 1}
    return None


def _branch(place: str) -> int | str:
    return int(place[len("cases[") : place.index("]")]) if place.startswith("cases[") else place


def _id_of(path: str) -> str:
    return path.rpartition(".")[2]


def _not_reached() -> Impossible:
    return Impossible(Problem("from_step", "reached", _NOT_REACHED))


_NOT_REACHED: Final = Text("La ejecución no llegó a ese paso.", "The run has not come to that step.")
_IN_HANDLER: Final = Text(
    "Los pasos que tratan el error de la ejecución no se eligen: vuelven a darse si vuelve a fallar.",
    "The steps that handle the error of the run are not chosen: they are taken again if it fails again.",
)
_OTHER_KIND: Final = Text(
    "El paso '{path}' era '{uses}' y en esta versión es otro: reintenta desde él o desde uno anterior.",
    "The step '{path}' was '{uses}' and is another one in this version: retry from it or from one before it.",
)
