"""Checking a definition when it is saved: every problem located (`steps[2].then[0].with.email`)."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import EventDescription
from bivelio_server.kit.door import insufficient_scope
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.json_schema import schema_problems
from bivelio_server.kit.operations import Catalogue, Operation
from bivelio_server.kit.origin import Door
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import MAX_PROBLEMS, field_path, validation_failed
from bivelio_server.workflows.approvals.checking import approval_problems
from bivelio_server.workflows.definition import (
    ApprovalStep,
    CronTrigger,
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
from bivelio_server.workflows.expressions import ExpressionError, references_of
from bivelio_server.workflows.plain_values import value_problems
from bivelio_server.workflows.reference_checking import (
    ERROR,
    PLAIN,
    RUN,
    UNKNOWN,
    Fields,
    Known,
    ListOf,
    Reading,
    Scope,
    Shape,
    TooMuchToRead,
    lone_shape,
)
from bivelio_server.workflows.triggers.schedule_checking import schedule_problems
from bivelio_server.workflows.vault.references import ROOT as SECRETS
from bivelio_server.workflows.vault.references import as_given

MAX_STEPS: Final = 200
MAX_NESTING: Final = 10
_SECRETS: Final = Fields({}, PLAIN)


def check_definition(
    definition: Definition,
    catalogue: Catalogue,
    api_version: str | None = None,
    events: Mapping[str, EventDescription] = MappingProxyType({}),
) -> None:
    """`api_version`: that of the API which the steps were written for. Raises ValidationFailed with every problem."""
    known = Known(catalogue, events, api_version or catalogue.versions.newest)
    try:
        problems = list(islice(_problems(definition, known), MAX_PROBLEMS))
    except TooMuchToRead as error:
        problems = [Problem("steps", "max_length", error.text)]
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
class _Place:
    """What expressions may name at a place: `names`, and the steps that may have been taken before. `ids` are all that
    were met so far."""

    known: Known
    reading: Reading
    names: Mapping[str, Shape]
    steps: dict[str, Shape] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)

    @property
    def scope(self) -> Scope:
        return {**self.names, "steps": Fields(self.steps)}

    def knowing(self, **names: Shape) -> "_Place":
        """With these names besides; steps seen there are seen afterwards."""
        return replace(self, names={**self.names, **names})

    def apart(self, **names: Shape) -> "_Place":
        """With these names besides; steps seen there are not seen afterwards."""
        return replace(self, names={**self.names, **names}, steps=dict(self.steps))

    def texts(self, value: Any, path: str) -> Iterator[Problem]:
        return self.reading.value(value, path, self.scope)

    def expression(self, text: str, path: str) -> Iterator[Problem]:
        return self.reading.lone_expression(text, path, self.scope)


def _problems(definition: Definition, known: Known) -> Iterator[Problem]:
    if sum(1 for _ in walk(definition)) > MAX_STEPS:
        yield Problem("steps", "max_items", _TOO_MANY)
        return
    if isinstance(definition.trigger, CronTrigger):
        yield from schedule_problems(definition.trigger)
    broken = [] if definition.input_schema is None else schema_problems(definition.input_schema)
    yield from broken
    reading = Reading()
    trigger = definition.trigger
    if isinstance(trigger, EventTrigger) and trigger.if_ is not None:
        yield from reading.lone_expression(
            trigger.if_, "trigger.if", {"input": known.event(trigger.event), "now": PLAIN}
        )
    place = _Place(known, reading, {"input": UNKNOWN if broken else known.input(definition), "run": RUN, "now": PLAIN})
    yield from _list(definition.steps, "steps", place)
    if definition.output is not None:
        yield from place.texts(definition.output, "output")
    yield from _list(definition.on_error, "on_error", place.knowing(error=ERROR))


def _list(steps: Sequence[Step], path: str, place: _Place) -> Iterator[Problem]:
    for position, step in enumerate(steps):
        here = f"{path}[{position}]"
        yield from _step(step, here, place)
        place.steps[step.id] = place.known.step(step)
        if isinstance(step.on_error, list):
            yield from _list(step.on_error, f"{here}.on_error", place.knowing(error=ERROR))


def _step(step: Step, path: str, place: _Place) -> Iterator[Problem]:
    """What a step itself says, and then the steps within it."""
    if path.count("[") > MAX_NESTING:
        yield Problem(path, "max_depth", _TOO_DEEP)
    if step.id in place.ids:
        yield Problem(f"{path}.id", "unique", _REPEATED.format(id=step.id))
    place.ids.add(step.id)
    yield from _own_texts(step, path, place)
    yield from value_problems(step, path)
    match step:
        case OperationStep():
            yield from _operation(step, path, place.known)
        case ForEachStep():
            inner = place.apart(**{step.as_: _item(step, place.scope), "index": PLAIN})
            yield from _list(step.steps, f"{path}.steps", inner)
        case WhileStep():
            yield from _loop(step, path, place)
        case ParallelStep():
            yield from _parallel(step, path, place)
        case IfStep() | SwitchStep():
            for branch in branches(step):
                if branch.place != "on_error":
                    yield from _list(branch.steps, f"{path}.{branch.place}", place)


def _own_texts(step: Step, path: str, place: _Place) -> Iterator[Problem]:
    """The members of a step that may hold expressions."""
    match step:
        case IfStep():
            yield from place.expression(step.if_, f"{path}.if")
        case SwitchStep():
            yield from place.expression(step.switch, f"{path}.switch")
        case HttpRequestStep():
            request = as_given(step.http_request)
            yield from place.knowing(**{SECRETS: _SECRETS}).texts(request, f"{path}.http_request")
            yield from _unnamed_secrets(request, f"{path}.http_request")
        case WaitForEventStep():
            awaited = step.wait_for_event
            if awaited.if_ is not None:
                event = Fields(place.known.event(awaited.event).named, UNKNOWN)
                yield from place.knowing(event=event).expression(awaited.if_, f"{path}.wait_for_event.if")
        case ApprovalStep():
            yield from place.texts(step.approval.model_dump(), f"{path}.approval")
            yield from approval_problems(step, path)
        case _:
            for member in _RENDERED.get(type(step), ()):
                yield from place.texts(_member(step, member), f"{path}.{member}")


def _unnamed_secrets(value: Any, path: str) -> Iterator[Problem]:
    """Where a text reads `secrets` without the name of one."""
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unnamed_secrets(member, field_path([path, key]))
    elif isinstance(value, str) and "{{" in value:
        with suppress(ExpressionError):  # said already
            if (SECRETS,) in references_of(value):
                yield Problem(path, "reference", _UNNAMED_SECRET)


def _item(step: ForEachStep, scope: Scope) -> Shape:
    shape = lone_shape(step.for_each, scope) if isinstance(step.for_each, str) else UNKNOWN
    return shape.item if isinstance(shape, ListOf) else UNKNOWN


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


def _loop(step: WhileStep, path: str, place: _Place) -> Iterator[Problem]:
    """Its condition and its steps may name what its steps gave the time before."""
    inner = place.apart(index=PLAIN)
    inner.steps.update({each.id: place.known.step(each) for _, each in walk_steps(step.steps)})
    yield from inner.expression(step.while_, f"{path}.while")
    yield from _list(step.steps, f"{path}.steps", inner)


def _parallel(step: ParallelStep, path: str, place: _Place) -> Iterator[Problem]:
    """A branch does not see the others."""
    seen = [place.apart() for _ in step.parallel]
    for inner, (name, steps) in zip(seen, step.parallel.items(), strict=True):
        yield from _list(steps, f"{path}.parallel.{name}", inner)
    for inner in seen:
        place.steps.update(inner.steps)


def _operation(step: OperationStep, path: str, known: Known) -> Iterator[Problem]:
    catalogue = known.catalogue
    operation = catalogue.named(step.uses)
    if operation is None or Door.workflow not in operation.doors:
        yield Problem(f"{path}.uses", "operation", _UNKNOWN_OPERATION.format(name=step.uses))
        return
    if step.with_.get("async") is False:
        yield Problem(f"{path}.with.async", "one_of", _NO_WAITING)
    given = copy.deepcopy(step.with_)
    try:
        operation.input.model_validate(catalogue.versions.input_data(known.api_version, operation.name, given))
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
_REPEATED: Final = Text("El id de paso '{id}' está repetido.", "The step id '{id}' is repeated.")
_UNNAMED_SECRET: Final = Text(
    "Un secreto se nombra tal cual, como {{ secrets.ERP_TOKEN }}.",
    "A secret is named as it is, such as {{ secrets.ERP_TOKEN }}.",
)
_UNKNOWN_OPERATION: Final = Text(
    "La operación '{name}' no existe o no se ofrece como paso.", "The operation '{name}' does not exist or is no step."
)
