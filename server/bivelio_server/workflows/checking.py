"""Checking a definition when it is saved: every problem located (`steps[2].then[0].with.email`)."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
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
from bivelio_server.workflows.approvals.checking import approval_problems
from bivelio_server.workflows.definition import (
    ApprovalStep,
    Definition,
    EventTrigger,
    ForEachStep,
    HttpRequestStep,
    IfStep,
    OperationStep,
    ParallelStep,
    Part,
    RunWorkflowStep,
    SetStep,
    Step,
    StopStep,
    SwitchStep,
    WaitForEventStep,
    WaitStep,
    WhileStep,
    branches,
    walk,
    walk_steps,
)
from bivelio_server.workflows.expressions import ExpressionError, parse_template, references_of
from bivelio_server.workflows.input_schema import schema_problems
from bivelio_server.workflows.problems import expression_problem
from bivelio_server.workflows.vault.references import ROOT as SECRETS
from bivelio_server.workflows.vault.references import as_given

MAX_STEPS: Final = 200
MAX_NESTING: Final = 10
_ROOTS: Final = frozenset({"input", "steps", "run", "now"})


def check_definition(definition: Definition, catalogue: Catalogue, api_version: str | None = None) -> None:
    """`api_version`: that of the API which the steps were written for. Raises ValidationFailed with every problem."""
    spoken = api_version or catalogue.versions.newest
    problems = list(islice(_problems(definition, catalogue, spoken), MAX_PROBLEMS))
    if problems:
        raise ValidationFailed(problems)


def check_rights(definition: Definition, catalogue: Catalogue, caller: Caller) -> None:
    """Whether the caller may do all that the workflow does. Raises InsufficientScope."""
    for operation in used_operations(definition, catalogue):
        if not caller.may(operation.scope, operation.resource):
            raise insufficient_scope(operation)


def used_operations(definition: Definition, catalogue: Catalogue) -> Iterator[Operation]:
    for _, step in walk(definition):
        name = _operation_of(step)
        operation = None if name is None else catalogue.named(name)
        if operation is not None:
            yield operation


def _operation_of(step: Step) -> str | None:
    """The name of the operation whose right the step needs."""
    match step:
        case OperationStep():
            return step.uses
        case RunWorkflowStep():
            return "workflows.execute"
    return None


@dataclass(slots=True)
class _Scope:
    """What expressions may name at a place: roots, and the steps that may have been taken before. `ids` are all that
    were met so far, `api_version` is what the steps were written for."""

    api_version: str
    roots: frozenset[str] = _ROOTS
    steps: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    def knowing(self, *names: str) -> "_Scope":
        """With these roots besides; steps seen there are seen afterwards."""
        return replace(self, roots=self.roots.union(names))

    def apart(self, *names: str) -> "_Scope":
        """With these roots besides; steps seen there are not seen afterwards."""
        return replace(self, roots=self.roots.union(names), steps=set(self.steps))


def _problems(definition: Definition, catalogue: Catalogue, api_version: str) -> Iterator[Problem]:
    if sum(1 for _ in walk(definition)) > MAX_STEPS:
        yield Problem("steps", "max_items", _TOO_MANY)
        return
    if isinstance(definition.trigger, EventTrigger) and definition.trigger.if_ is not None:
        yield from _condition(definition.trigger.if_, "trigger.if", _Scope(api_version, frozenset({"input", "now"})))
    if definition.input_schema is not None:
        yield from schema_problems(definition.input_schema)
    scope = _Scope(api_version)
    yield from _list(definition.steps, "steps", scope, catalogue)
    if definition.output is not None:
        yield from _texts(definition.output, "output", scope)
    yield from _list(definition.on_error, "on_error", scope.knowing("error"), catalogue)


def _list(steps: Sequence[Step], path: str, scope: _Scope, catalogue: Catalogue) -> Iterator[Problem]:
    for position, step in enumerate(steps):
        here = f"{path}[{position}]"
        yield from _step(step, here, scope, catalogue)
        scope.steps.add(step.id)
        if isinstance(step.on_error, list):
            yield from _list(step.on_error, f"{here}.on_error", scope.knowing("error"), catalogue)


def _step(step: Step, path: str, scope: _Scope, catalogue: Catalogue) -> Iterator[Problem]:
    """What a step itself says, and then the steps within it."""
    if path.count("[") > MAX_NESTING:
        yield Problem(path, "max_depth", _TOO_DEEP)
    if step.id in scope.ids:
        yield Problem(f"{path}.id", "unique", _REPEATED.format(id=step.id))
    scope.ids.add(step.id)
    yield from _own_texts(step, path, scope)
    match step:
        case OperationStep():
            yield from _operation(step, path, scope, catalogue)
        case ForEachStep():
            yield from _list(step.steps, f"{path}.steps", scope.apart(step.as_, "index"), catalogue)
        case WhileStep():
            yield from _loop(step, path, scope, catalogue)
        case ParallelStep():
            yield from _parallel(step, path, scope, catalogue)
        case IfStep() | SwitchStep():
            for branch in branches(step):
                if branch.place != "on_error":
                    yield from _list(branch.steps, f"{path}.{branch.place}", scope, catalogue)


def _own_texts(step: Step, path: str, scope: _Scope) -> Iterator[Problem]:
    """The members of a step that may hold expressions."""
    match step:
        case IfStep():
            yield from _condition(step.if_, f"{path}.if", scope)
        case SwitchStep():
            yield from _condition(step.switch, f"{path}.switch", scope)
        case HttpRequestStep():
            yield from _texts(as_given(step.http_request), f"{path}.http_request", scope.knowing(SECRETS))
        case WaitForEventStep():
            if step.wait_for_event.if_ is not None:
                yield from _condition(step.wait_for_event.if_, f"{path}.wait_for_event.if", scope.knowing("event"))
        case ApprovalStep():
            yield from _texts(step.approval.model_dump(), f"{path}.approval", scope)
            yield from approval_problems(step, path)
        case _:
            for member in _RENDERED.get(type(step), ()):
                yield from _texts(_member(step, member), f"{path}.{member}", scope)


#: The members of which every text may hold expressions, by their names on the wire.
_RENDERED: Final[dict[type, tuple[str, ...]]] = {
    OperationStep: ("with",),
    SetStep: ("set",),
    ForEachStep: ("for_each",),
    WaitStep: ("wait",),
    RunWorkflowStep: ("run_workflow",),
    StopStep: ("stop",),
}


def _member(step: Step, name: str) -> Any:
    value = getattr(step, "with_" if name == "with" else name)
    return value.model_dump() if isinstance(value, Part) else value


def _loop(step: WhileStep, path: str, scope: _Scope, catalogue: Catalogue) -> Iterator[Problem]:
    """Its condition and its steps may name what its steps gave the time before."""
    inner = scope.apart("index")
    inner.steps.update(each.id for _, each in walk_steps(step.steps))
    yield from _condition(step.while_, f"{path}.while", inner)
    yield from _list(step.steps, f"{path}.steps", inner, catalogue)


def _parallel(step: ParallelStep, path: str, scope: _Scope, catalogue: Catalogue) -> Iterator[Problem]:
    """A branch does not see the others."""
    seen = [scope.apart() for _ in step.parallel]
    for inner, (name, steps) in zip(seen, step.parallel.items(), strict=True):
        yield from _list(steps, f"{path}.parallel.{name}", inner, catalogue)
    scope.steps.update(*(inner.steps for inner in seen))


def _condition(text: str, path: str, scope: _Scope) -> Iterator[Problem]:
    """Only a text that is one expression can give a value that is not a text."""
    problems = list(_text(text, path, scope))
    if not problems:
        template = parse_template(text)
        if len(template.pieces) > 1 or not template.holes:
            problems = [Problem(path, "expression", _NO_CONDITION)]
    yield from problems


def _texts(value: Any, path: str, scope: _Scope) -> Iterator[Problem]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield from _text(value, path, scope)
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(member, f"{path}.{name}", scope)
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _texts(member, f"{path}[{position}]", scope)


def _text(text: str, path: str, scope: _Scope) -> Iterator[Problem]:
    try:
        found = references_of(text)
    except ExpressionError as error:
        yield expression_problem(error, path)
        return
    for reference in sorted(found):
        if reference[0] not in scope.roots:
            known = ", ".join(sorted(scope.roots))
            yield Problem(path, "reference", _UNKNOWN_NAME.format(name=reference[0], known=known))
        elif reference == (SECRETS,):
            yield Problem(path, "reference", _UNNAMED_SECRET)
        elif reference[0] == "steps" and len(reference) > 1 and reference[1] not in scope.steps:
            yield Problem(path, "reference", _UNKNOWN_STEP.format(id=reference[1]))


def _operation(step: OperationStep, path: str, scope: _Scope, catalogue: Catalogue) -> Iterator[Problem]:
    operation = catalogue.named(step.uses)
    if operation is None or Door.workflow not in operation.doors:
        yield Problem(f"{path}.uses", "operation", _UNKNOWN_OPERATION.format(name=step.uses))
        return
    if step.with_.get("async") is False:
        yield Problem(f"{path}.with.async", "one_of", _NO_WAITING)
    given = copy.deepcopy(step.with_)
    try:
        operation.input.model_validate(catalogue.versions.input_data(scope.api_version, operation.name, given))
    except ValidationError as error:
        refused = validation_failed(error, within=f"{path}.with")
        for problem, item in zip(refused.problems, error.errors(), strict=False):
            if not _is_rendered_later(given, item):
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
    "Aquí debe haber una expresión, como {{ input.total > 100 }}.",
    "Here must be one expression, such as {{ input.total > 100 }}.",
)
_REPEATED: Final = Text("El id de paso '{id}' está repetido.", "The step id '{id}' is repeated.")
_UNKNOWN_NAME: Final = Text(
    "'{name}' no existe aquí; hay: {known}.",
    "'{name}' does not exist here; there are: {known}.",
)
_UNKNOWN_STEP: Final = Text("No hay un paso anterior '{id}'.", "There is no earlier step '{id}'.")
_UNNAMED_SECRET: Final = Text(
    "Un secreto se nombra tal cual, como {{ secrets.ERP_TOKEN }}.",
    "A secret is named as it is, such as {{ secrets.ERP_TOKEN }}.",
)
_UNKNOWN_OPERATION: Final = Text(
    "La operación '{name}' no existe o no se ofrece como paso.", "The operation '{name}' does not exist or is no step."
)
