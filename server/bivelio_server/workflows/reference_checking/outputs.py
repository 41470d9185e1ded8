"""What steps give and triggers bring, as far as it is known when a workflow is saved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bivelio_server.kit.context import EventDescription
from bivelio_server.kit.operations import Catalogue
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
    RunWorkflowStep,
    SetStep,
    Step,
    SwitchStep,
    WaitForEventStep,
    WaitStep,
    WhileStep,
)
from bivelio_server.workflows.reference_checking.schemas import shape_of_model, shape_of_schema
from bivelio_server.workflows.reference_checking.shapes import PLAIN, UNKNOWN, Fields, ListOf, Shape, either


def plain_fields(*names: str, **others: Shape) -> Fields:
    return Fields({**dict.fromkeys(names, PLAIN), **others})


ERROR: Final = plain_fields(
    "code", "message", "message_en", "retry_after", "step_id", "path", details=UNKNOWN, run=UNKNOWN
)
RUN: Final = plain_fields("id", "workflow_id")


@dataclass(frozen=True, slots=True)
class Known:
    """The operations and events there are, and the version of the API that the steps were written for."""

    catalogue: Catalogue
    events: Mapping[str, EventDescription]
    api_version: str

    def input(self, definition: Definition) -> Shape:
        """What its author says, or else what its trigger brings; whoever executes it by hand may bring other things."""
        if definition.input_schema is not None:
            return shape_of_schema(definition.input_schema)
        if isinstance(definition.trigger, EventTrigger):
            return Fields(self.event(definition.trigger.event).named, UNKNOWN)
        if isinstance(definition.trigger, CronTrigger):
            return Fields(plain_fields("scheduled_at", "missed").named, UNKNOWN)
        return UNKNOWN

    def event(self, name: str) -> Fields:
        changed = any(name in change.events for change in self._since(self.api_version))
        described = None if changed else self.events.get(name)
        return plain_fields("event", "timestamp", data=shape_of_model(described.data) if described else UNKNOWN)

    def step(self, step: Step) -> Fields:
        """What stands under the id of a step."""
        return plain_fields("status", output=self.output(step), error=ERROR)

    def output(self, step: Step) -> Shape:
        make = _OUTPUTS.get(type(step))
        return make(self, step) if make else UNKNOWN

    def last_output(self, steps: Sequence[Step]) -> Shape:
        """That of a list of steps: what its last one gives, or the handler of its failure."""
        if not steps:
            return PLAIN
        handler = steps[-1].on_error
        output = self.output(steps[-1])
        return either(output, self.last_output(handler)) if isinstance(handler, list) else output

    def operation(self, step: OperationStep) -> Shape:
        operation = self.catalogue.named(step.uses)
        changed = any(change.operation == step.uses for change in self._since(self.api_version))
        return UNKNOWN if operation is None or changed else shape_of_model(operation.output)

    def _since(self, version: str) -> Sequence[Any]:
        """What has changed in the API after that version: of it the models of today say nothing."""
        return [change for change in self.catalogue.versions.changes if change.version > version]


def _parallel(known: Known, step: ParallelStep) -> Shape:
    branches = Fields({name: known.last_output(steps) for name, steps in step.parallel.items()})
    return plain_fields("first", branches=branches)


def _for_each(known: Known, step: ForEachStep) -> Shape:
    result = plain_fields("status", output=known.last_output(step.steps), error=ERROR)
    return plain_fields("completed", "failed", results=ListOf(result))


def _event(known: Known, step: WaitForEventStep) -> Shape:
    event = known.event(step.wait_for_event.event)
    return Fields({**event.named, "event_id": PLAIN})


def _set(_known: Known, step: SetStep) -> Shape:
    return _of_value(step.set)


def _of_value(value: Any) -> Shape:
    if isinstance(value, dict):
        return Fields({name: _of_value(member) for name, member in value.items()})
    return UNKNOWN if isinstance(value, list | str) else PLAIN


_BRANCH: Final = plain_fields("branch")
_REPLY: Final = plain_fields("status", headers=UNKNOWN, body=UNKNOWN)
_OTHER_RUN: Final = plain_fields("instance_id", "status", output=UNKNOWN)
_DECISION: Final = plain_fields("decision", "decided_by", "decided_at", "comment")
_OUTPUTS: Final[dict[type, Callable[[Known, Any], Shape]]] = {  # each is looked up by the type it takes
    OperationStep: Known.operation,
    IfStep: lambda _known, _step: _BRANCH,
    SwitchStep: lambda _known, _step: _BRANCH,
    ParallelStep: _parallel,
    ForEachStep: _for_each,
    WhileStep: lambda known, step: plain_fields("iterations", output=known.last_output(step.steps)),
    WaitStep: lambda _known, _step: plain_fields("until"),
    WaitForEventStep: _event,
    ApprovalStep: lambda _known, _step: _DECISION,
    HttpRequestStep: lambda _known, _step: _REPLY,
    RunWorkflowStep: lambda _known, _step: _OTHER_RUN,
    SetStep: _set,
}
