"""What a workflow is: a trigger and a tree of steps.

    {"id": "contact", "uses": "contacts.create", "with": {"name": "{{ input.client_name }}"}}
    {"id": "pause", "wait": {"seconds": 3600}}
    {"id": "vip", "if": "{{ input.plan == 'pro' }}", "then": [...], "else": [...]}
    {"id": "greeting", "set": {"text": "Hola {{ input.client_name }}"}}

A string may hold expressions over `input`, `steps.<id>.output`, `run` and `now`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.config import JsonDict

from bivelio_server.events.definitions import EventName
from bivelio_server.kit.models import Input

MAX_WAIT_SECONDS = 366 * 24 * 3600
StepId = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", max_length=60)]


class Part(Input):
    """A part of a definition; wire names that are Python keywords have an alias."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=False)


class ManualTrigger(Part):
    type: Literal["manual"]


class EventTrigger(Part):
    """The workflow runs for each event of this name; its input is `{event, timestamp, data}`."""

    type: Literal["event"]
    event: EventName


def _trigger_kind(trigger: Any) -> str | None:
    if isinstance(trigger, BaseModel):
        return f"<{_TRIGGER_KINDS[type(trigger)]}>"
    kind = trigger.get("type") if isinstance(trigger, dict) else None
    return f"<{kind}>" if kind in _TRIGGER_KINDS.values() else None


_TRIGGER_KINDS: dict[type, str] = {ManualTrigger: "manual", EventTrigger: "event"}
_TRIGGER_SCHEMAS: JsonDict = {kind: f"#/components/schemas/{model.__name__}" for model, kind in _TRIGGER_KINDS.items()}

#: Written with marked tags, which problems leave out of their paths.
Trigger = Annotated[
    Annotated[ManualTrigger, Tag("<manual>")] | Annotated[EventTrigger, Tag("<event>")],
    Discriminator(
        _trigger_kind,
        custom_error_type="trigger_kind",
        custom_error_message="A trigger has a type: manual, event.",
    ),
    Field(json_schema_extra={"discriminator": {"propertyName": "type", "mapping": _TRIGGER_SCHEMAS}}),
]


class OperationStep(Part):
    """Any operation that has a workflow door."""

    id: StepId
    uses: str = Field(max_length=100, examples=["contacts.create"])
    with_: dict[str, Any] = Field(default={}, alias="with")


class IfStep(Part):
    """`then` when the expression is true, otherwise `else`. Its output is `{branch}`."""

    id: StepId
    if_: str = Field(alias="if", max_length=4096, examples=["{{ input.plan == 'pro' }}"])
    then: list["Step"] = Field(max_length=100)
    else_: list["Step"] = Field(default=[], alias="else", max_length=100)


class Seconds(Part):
    seconds: int = Field(ge=0, le=MAX_WAIT_SECONDS)


class WaitStep(Part):
    """Holds nothing while it waits. Its output is `{until}`."""

    id: StepId
    wait: Seconds


class SetStep(Part):
    """Names values; its output is the rendered object."""

    id: StepId
    set: dict[str, Any]


def _which(step: Any) -> str | None:
    if isinstance(step, BaseModel):
        return f"<{_KEYWORD_OF[type(step)]}>"
    if not isinstance(step, dict):
        return None
    return next((f"<{keyword}>" for keyword in _KEYWORD_OF.values() if keyword in step), None)


_KEYWORD_OF: dict[type, str] = {OperationStep: "uses", IfStep: "if", WaitStep: "wait", SetStep: "set"}

Step = Annotated[
    Annotated[OperationStep, Tag("<uses>")]
    | Annotated[IfStep, Tag("<if>")]
    | Annotated[WaitStep, Tag("<wait>")]
    | Annotated[SetStep, Tag("<set>")],
    Discriminator(
        _which,
        custom_error_type="step_kind",
        custom_error_message="A step has one of: uses, if, wait, set.",
    ),
]


class Definition(Part):
    """One version of a workflow, as it is stored and run."""

    trigger: Trigger
    steps: list[Step] = Field(min_length=1, max_length=100)
    output: dict[str, Any] | None = None


def kind_of(step: Step) -> str:
    """What a step record shows: the operation's name, or the keyword."""
    return step.uses if isinstance(step, OperationStep) else _KEYWORD_OF[type(step)]


def walk(steps: list[Step], path: str = "steps") -> Iterator[tuple[str, Step]]:
    """Every step of the tree with its path (`steps[2].then[0]`), in the order of the document."""
    for position, step in enumerate(steps):
        here = f"{path}[{position}]"
        yield here, step
        if isinstance(step, IfStep):
            yield from walk(step.then, f"{here}.then")
            yield from walk(step.else_, f"{here}.else")
