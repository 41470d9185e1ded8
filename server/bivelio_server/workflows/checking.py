"""Checking a definition when it is saved: every problem located (`steps[2].then[0].with.email`)."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bivelio_server.kit.caller import Caller
from bivelio_server.kit.door import insufficient_scope
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.operations import Catalogue, Operation
from bivelio_server.kit.origin import Door
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import MAX_PROBLEMS, validation_failed
from bivelio_server.workflows.definition import Definition, IfStep, OperationStep, SetStep, Step, walk
from bivelio_server.workflows.expressions import ExpressionError, parse_template, references_of
from bivelio_server.workflows.problems import expression_problem

MAX_STEPS: Final = 200
MAX_NESTING: Final = 10
_ROOTS: Final = frozenset({"input", "steps", "run", "now"})


def check_definition(definition: Definition, catalogue: Catalogue) -> None:
    """Raises ValidationFailed with every problem found."""
    problems = list(islice(_problems(definition, catalogue), MAX_PROBLEMS))
    if problems:
        raise ValidationFailed(problems)


def check_rights(definition: Definition, catalogue: Catalogue, caller: Caller) -> None:
    """Whether the caller may do all that the workflow does. Raises InsufficientScope."""
    for operation in used_operations(definition, catalogue):
        if not caller.may(operation.scope, operation.resource):
            raise insufficient_scope(operation)


def used_operations(definition: Definition, catalogue: Catalogue) -> Iterator[Operation]:
    for _, step in walk(definition.steps):
        if isinstance(step, OperationStep):
            operation = catalogue.named(step.uses)
            if operation is not None:
                yield operation


def _problems(definition: Definition, catalogue: Catalogue) -> Iterator[Problem]:
    seen: set[str] = set()
    steps = list(walk(definition.steps))
    if len(steps) > MAX_STEPS:
        yield Problem("steps", "max_items", _TOO_MANY)
    for path, step in steps:
        if path.count("[") > MAX_NESTING:
            yield Problem(path, "max_depth", _TOO_DEEP)
        if step.id in seen:
            yield Problem(f"{path}.id", "unique", _REPEATED.format(id=step.id))
        yield from _step_texts(step, path, seen)
        if isinstance(step, OperationStep):
            yield from _operation(step, path, catalogue)
        seen.add(step.id)
    if definition.output is not None:
        yield from _texts(definition.output, "output", seen)


def _step_texts(step: Step, path: str, seen: set[str]) -> Iterator[Problem]:
    """The members of a step that may hold expressions."""
    if isinstance(step, OperationStep):
        yield from _texts(step.with_, f"{path}.with", seen)
    elif isinstance(step, SetStep):
        yield from _texts(step.set, f"{path}.set", seen)
    elif isinstance(step, IfStep):
        yield from _condition(step.if_, f"{path}.if", seen)


def _condition(text: str, path: str, seen: set[str]) -> Iterator[Problem]:
    """Only a text that is one expression can give true or false."""
    problems = list(_text(text, path, seen))
    if not problems:
        template = parse_template(text)
        if len(template.pieces) > 1 or not template.holes:
            problems = [Problem(path, "expression", _NO_CONDITION)]
    yield from problems


def _texts(value: Any, path: str, seen: set[str]) -> Iterator[Problem]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield from _text(value, path, seen)
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(member, f"{path}.{name}", seen)
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _texts(member, f"{path}[{position}]", seen)


def _text(text: str, path: str, seen: set[str]) -> Iterator[Problem]:
    try:
        found = references_of(text)
    except ExpressionError as error:
        yield expression_problem(error, path)
        return
    for reference in sorted(found):
        if reference[0] not in _ROOTS:
            yield Problem(path, "reference", _UNKNOWN_NAME.format(name=reference[0]))
        elif reference[0] == "steps" and len(reference) > 1 and reference[1] not in seen:
            yield Problem(path, "reference", _UNKNOWN_STEP.format(id=reference[1]))


def _operation(step: OperationStep, path: str, catalogue: Catalogue) -> Iterator[Problem]:
    operation = catalogue.named(step.uses)
    if operation is None or Door.workflow not in operation.doors:
        yield Problem(f"{path}.uses", "operation", _UNKNOWN_OPERATION.format(name=step.uses))
        return
    if step.with_.get("async") is False:
        yield Problem(f"{path}.with.async", "one_of", _NO_WAITING)
    try:
        operation.input.model_validate(step.with_)
    except ValidationError as error:
        refused = validation_failed(error, within=f"{path}.with")
        for problem, item in zip(refused.problems, error.errors(), strict=False):
            if not _is_rendered_later(step.with_, item):
                yield problem


def _is_rendered_later(value: Any, item: ErrorDetails) -> bool:
    """Whether what pydantic refuses comes from an expression, so that only the run can judge it."""
    if item["type"] == "extra_forbidden":
        return False
    for part in item["loc"]:
        match value, part:
            case list(), int():
                value = value[part]
            case dict(), _ if part in value:
                value = value[part]
    return isinstance(value, str) and "{{" in value


_NO_WAITING: Final = Text(
    "Un paso no espera a otro workflow: quita 'async' o ponlo a true.",
    "A step does not wait for another workflow: leave 'async' out or set it to true.",
)
_TOO_MANY: Final = Text(
    f"Un workflow tiene como máximo {MAX_STEPS} pasos.", f"A workflow has at most {MAX_STEPS} steps."
)
_TOO_DEEP: Final = Text(
    f"Los pasos se anidan como máximo {MAX_NESTING} niveles.", f"Steps nest at most {MAX_NESTING} levels deep."
)
_NO_CONDITION: Final = Text(
    "La condición debe ser una expresión, como {{ input.total > 100 }}.",
    "The condition must be one expression, such as {{ input.total > 100 }}.",
)
_REPEATED: Final = Text("El id de paso '{id}' está repetido.", "The step id '{id}' is repeated.")
_UNKNOWN_NAME: Final = Text(
    "'{name}' no existe aquí; hay input, steps, run y now.",
    "'{name}' does not exist here; there are input, steps, run and now.",
)
_UNKNOWN_STEP: Final = Text("No hay un paso anterior '{id}'.", "There is no earlier step '{id}'.")
_UNKNOWN_OPERATION: Final = Text(
    "La operación '{name}' no existe o no se ofrece como paso.", "The operation '{name}' does not exist or is no step."
)
