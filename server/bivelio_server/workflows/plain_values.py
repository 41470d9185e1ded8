"""What a step says without an expression is judged when its workflow is saved, rather than by a run."""

from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import ForEachStep, Step, SwitchStep, WaitStep
from bivelio_server.workflows.expressions import NOT_NAMES
from bivelio_server.workflows.wait_values import NO_NUMBER, moment_of

#: What steps see under names of ours, some of them only in places.
_TAKEN: Final = frozenset({"input", "steps", "run", "now", "index", "error", "event", "secrets", *NOT_NAMES})


def value_problems(step: Step, path: str) -> Iterator[Problem]:
    """`path` is that of the step."""
    match step:
        case SwitchStep():
            yield from _cases(step, path)
        case ForEachStep() if step.as_ in _TAKEN:
            yield Problem(f"{path}.as", "reserved", _NAME_TAKEN.format(name=step.as_))
        case WaitStep():
            yield from _wait(step, path)


def _cases(step: SwitchStep, path: str) -> Iterator[Problem]:
    """A case is compared as it is written: an expression in it would never be equal to anything."""
    for position, case in enumerate(step.cases):
        values = case.is_ if isinstance(case.is_, list) else [case.is_]
        if any(isinstance(value, str) and "{{" in value for value in values):
            yield Problem(f"{path}.cases[{position}].is", "value", _NO_EXPRESSION)


def _wait(step: WaitStep, path: str) -> Iterator[Problem]:
    seconds, until = step.wait.seconds, step.wait.until
    if isinstance(seconds, str) and "{{" not in seconds:
        yield Problem(f"{path}.wait.seconds", "number", NO_NUMBER)
    if until is not None and "{{" not in until:
        try:
            moment_of(until, ZoneInfo("UTC"))
        except Impossible as error:
            yield from (Problem(f"{path}.wait.until", found.constraint, found.text) for found in error.problems)


_NO_EXPRESSION: Final = Text(
    "'is' se compara tal cual, sin expresiones: usa un paso 'if', como {{ input.a == input.b }}.",
    "'is' is compared as it is, without expressions: use an 'if' step, such as {{ input.a == input.b }}.",
)
_NAME_TAKEN: Final = Text(
    "El nombre '{name}' ya significa otra cosa en las expresiones: elige otro.",
    "The name '{name}' means something else in expressions: choose another.",
)
