"""A definition as a whole, and the ways through it."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from pydantic import Field

from bivelio_server.workflows.definition.parts import Part, Seconds
from bivelio_server.workflows.definition.steps import (
    KEYWORDS,
    ForEachStep,
    IfStep,
    OperationStep,
    ParallelStep,
    SomeSteps,
    Step,
    Steps,
    SwitchStep,
    WhileStep,
)
from bivelio_server.workflows.definition.triggers import ManualTrigger, Trigger


class Definition(Part):
    """One version of a workflow, as it is stored and run.

    `output` is what a run answers, by default the output of its last step. `on_error` are steps that a run takes before
    it ends as failed; they may name `error`. `timeout_seconds` is the longest that a run may take.
    """

    trigger: Trigger = Field(default=ManualTrigger(type="manual"))
    steps: SomeSteps
    output: dict[str, Any] | None = None
    on_error: Steps = Field(default=[])
    timeout_seconds: Seconds | None = None
    input_schema: dict[str, Any] | None = None

    def as_written(self) -> dict[str, Any]:
        """As its author wrote it: every member of the whole, and of its parts those that were given."""
        return {**_NOTHING_SAID, **self.model_dump(exclude_unset=True)}


_NOTHING_SAID: Final[dict[str, Any]] = {"output": None, "on_error": [], "timeout_seconds": None, "input_schema": None}


class Branch(NamedTuple):
    """A list of steps within a step, and its place there (`then`, `cases[0].steps`)."""

    place: str
    steps: Sequence[Step]


def branches(step: Step) -> list[Branch]:
    """The lists of steps that a step holds, its error handler last, in the order of the document."""
    match step:
        case IfStep():
            own = [Branch("then", step.then), Branch("else", step.else_)]
        case SwitchStep():
            cases = [Branch(f"cases[{position}].steps", case.steps) for position, case in enumerate(step.cases)]
            own = [*cases, Branch("default", step.default)]
        case ParallelStep():
            own = [Branch(f"parallel.{name}", steps) for name, steps in step.parallel.items()]
        case ForEachStep() | WhileStep():
            own = [Branch("steps", step.steps)]
        case _:
            own = []
    return [*own, Branch("on_error", step.on_error)] if isinstance(step.on_error, list) else own


def kind_of(step: Step) -> str:
    """What a step record shows: the operation's name, or the keyword."""
    return step.uses if isinstance(step, OperationStep) else KEYWORDS[type(step)]


def walk(definition: Definition) -> Iterator[tuple[str, Step]]:
    """Every step of the tree with its path (`steps[2].then[0]`), in the order of the document."""
    yield from walk_steps(definition.steps, "steps")
    yield from walk_steps(definition.on_error, "on_error")


def walk_steps(steps: Sequence[Step], path: str = "steps") -> Iterator[tuple[str, Step]]:
    for position, step in enumerate(steps):
        here = f"{path}[{position}]"
        yield here, step
        for branch in branches(step):
            yield from walk_steps(branch.steps, f"{here}.{branch.place}")
