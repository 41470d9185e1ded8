"""The kinds of step. Each has an `id`, and the keyword that says what it does."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator
from typing_extensions import TypeAliasType

from bivelio_server.events.definitions import EventName
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError
from bivelio_server.workflows.definition.http_request import HttpRequest
from bivelio_server.workflows.definition.parts import (
    MAX_LIST,
    MAX_WAIT_SECONDS,
    Expression,
    Part,
    Seconds,
    StepId,
    kind_by_key,
    text_or_value,
)

MAX_BRANCHES: Final = 20
MAX_TURNS: Final = 1000
MAX_AT_ONCE: Final = 50


class Retry(Part):
    """How often a step is tried that failed for a reason which may pass: `attempts` in all, the first pause
    `delay_seconds`, each next one `factor` times as long, none longer than `max_delay_seconds`."""

    attempts: int = Field(5, ge=1, le=20)
    delay_seconds: int = Field(2, ge=1, le=86_400)
    factor: int = Field(2, ge=1, le=10)
    max_delay_seconds: int = Field(300, ge=1, le=86_400)


SecondsOrExpression = Annotated[
    Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS), Tag("<value>")] | Annotated[Expression, Tag("<text>")],
    Discriminator(text_or_value),
]
ListOrExpression = Annotated[
    Annotated[list[Any], Tag("<value>")] | Annotated[Expression, Tag("<text>")], Discriminator(text_or_value)
]


def _what_to_do(given: Any) -> str:
    return "<steps>" if isinstance(given, list) else "<word>"


#: Resolved here, where `Step` is, whoever has a field of it.
Steps = TypeAliasType("Steps", Annotated[list["Step"], Field(max_length=MAX_LIST)])
SomeSteps = TypeAliasType("SomeSteps", Annotated[list["Step"], Field(min_length=1, max_length=MAX_LIST)])
OnError = Annotated[
    Annotated[Literal["fail", "continue"], Tag("<word>")] | Annotated[Steps, Tag("<steps>")],
    Discriminator(_what_to_do),
]


class Common(Part):
    """`on_error`: end the run (`fail`), go on (`continue`), or take these steps, which may name `error`, and go on."""

    id: StepId
    name: str | None = Field(None, max_length=120, description="What people call the step.")
    timeout_seconds: Seconds | None = None
    on_error: OnError = "fail"


class OperationStep(Common):
    """Any operation that has a workflow door."""

    uses: str = Field(max_length=100, examples=["contacts.create"])
    with_: dict[str, Any] = Field(default={}, alias="with")
    retry: Retry | None = None


class IfStep(Common):
    """`then` when the expression is true, otherwise `else`. Its output is `{branch}`."""

    if_: Expression = Field(alias="if", examples=["{{ input.plan == 'pro' }}"])
    then: Steps
    else_: Steps = Field(default=[], alias="else")


class Case(Part):
    """`is`: the value, or a list of them, that leads here."""

    is_: Any = Field(alias="is", examples=["pro"])
    steps: Steps


class SwitchStep(Common):
    """The first case whose value is that of the expression, otherwise `default`. Its output is `{branch}`: the
    position of the case, from 0, or `default`."""

    switch: Expression = Field(examples=["{{ input.plan }}"])
    cases: list[Case] = Field(min_length=1, max_length=MAX_BRANCHES)
    default: Steps = Field(default=[])


class ParallelStep(Common):
    """Named branches side by side. `all` waits for every one; `first` for the first that succeeds, and leaves the
    others. Its output is `{branches, first}`: the output of each one's last step, and who was first."""

    parallel: dict[StepId, Steps] = Field(min_length=1, max_length=MAX_BRANCHES)
    join: Literal["all", "first"] = "all"


class ForEachStep(Common):
    """The steps once for each item of a list, which they see as `item` (or `as`), with its `index` from 0.

    `concurrency` items are in work at once, those that wait included. Its output is `{results, completed, failed}`,
    one result an item: `{status, output, error}`.
    """

    for_each: ListOrExpression = Field(examples=["{{ input.lines }}"])
    as_: StepId = Field("item", alias="as")
    steps: SomeSteps
    concurrency: int = Field(1, ge=1, le=MAX_AT_ONCE)
    on_item_error: Literal["fail", "continue"] = "fail"


class WhileStep(Common):
    """The steps again as long as the condition is true, at most `max` times: more is an error.

    They see `index`, from 0, and may name what they themselves gave the time before. Its output is
    `{iterations, output}`: how often, and the output of the last step.
    """

    while_: Expression = Field(alias="while", examples=["{{ index < 3 }}"])
    max: int = Field(ge=1, le=MAX_TURNS)
    steps: SomeSteps


class Pause(Part):
    """Either `seconds`, or `until` a time or date; both may be expressions."""

    seconds: SecondsOrExpression | None = None
    until: Expression | None = Field(None, examples=["{{ input.due_date }}"])

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.seconds is None) == (self.until is None):
            raise FieldError(
                "required",
                Text(
                    "El campo '{field}' indica 'seconds' o 'until'.", "The field '{field}' states 'seconds' or 'until'."
                ),
            )
        return self


class WaitStep(Common):
    """Holds nothing while it waits. Its output is `{until}`."""

    wait: Pause


class AwaitedEvent(Part):
    event: EventName
    if_: Expression | None = Field(None, alias="if", examples=["{{ event.data.id == steps.invoice.output.id }}"])


class WaitForEventStep(Common):
    """Waits for an event, one that came since the run began included, for which `if` is true; it sees `event`.

    Its output is `{event_id, event, timestamp, data}`. Without one in `timeout_seconds` the step fails.
    """

    wait_for_event: AwaitedEvent


class Approvers(Part):
    """Who may decide: people of these roles, and these people, by their e-mail address."""

    roles: list[Literal["owner", "admin", "editor"]] = Field(default=[], max_length=3)
    users: list[Annotated[str, Field(min_length=3, max_length=254)]] = Field(default=[], max_length=20)


class Approval(Part):
    """`default` is what counts when nobody has decided by the deadline; without it the step fails then."""

    title: str = Field(min_length=1, max_length=1000)
    message: str | None = Field(None, max_length=10_000)
    approvers: Approvers = Field(default=Approvers(roles=["owner", "admin"], users=[]))
    deadline_seconds: Seconds | None = None
    default: Literal["approve", "reject"] | None = None


class ApprovalStep(Common):
    """Waits for somebody's decision. Its output is `{decision, decided_by, decided_at, comment}`."""

    approval: Approval


class HttpRequestStep(Common):
    """Calls any service. Its output is `{status, headers, body}`; the body of a JSON reply is its value."""

    http_request: HttpRequest
    retry: Retry | None = None


class OtherWorkflow(Part):
    """Runs another workflow, and unless `wait` is false waits for its end."""

    workflow_id: str = Field(max_length=100)
    input: dict[str, Any] = Field(default={})
    wait: bool = True


class RunWorkflowStep(Common):
    """Its output is `{instance_id, status, output}`. A run that fails fails this step."""

    run_workflow: OtherWorkflow


class SetStep(Common):
    """Names values; its output is the rendered object."""

    set: dict[str, Any]


class End(Part):
    """How the run ends: with an output, or as failed with a message."""

    status: Literal["completed", "failed"] = "completed"
    output: Any = None
    message: str | None = Field(None, max_length=2000)


class StopStep(Common):
    """Ends the run."""

    stop: End


KEYWORDS: Final[dict[type, str]] = {
    OperationStep: "uses",
    IfStep: "if",
    SwitchStep: "switch",
    ParallelStep: "parallel",
    ForEachStep: "for_each",
    WhileStep: "while",
    WaitStep: "wait",
    WaitForEventStep: "wait_for_event",
    ApprovalStep: "approval",
    HttpRequestStep: "http_request",
    RunWorkflowStep: "run_workflow",
    SetStep: "set",
    StopStep: "stop",
}

Step = Annotated[
    Annotated[OperationStep, Tag("<uses>")]
    | Annotated[IfStep, Tag("<if>")]
    | Annotated[SwitchStep, Tag("<switch>")]
    | Annotated[ParallelStep, Tag("<parallel>")]
    | Annotated[ForEachStep, Tag("<for_each>")]
    | Annotated[WhileStep, Tag("<while>")]
    | Annotated[WaitStep, Tag("<wait>")]
    | Annotated[WaitForEventStep, Tag("<wait_for_event>")]
    | Annotated[ApprovalStep, Tag("<approval>")]
    | Annotated[HttpRequestStep, Tag("<http_request>")]
    | Annotated[RunWorkflowStep, Tag("<run_workflow>")]
    | Annotated[SetStep, Tag("<set>")]
    | Annotated[StopStep, Tag("<stop>")],
    Discriminator(
        kind_by_key(KEYWORDS),
        custom_error_type="step_kind",
        custom_error_message=f"A step has exactly one of: {', '.join(KEYWORDS.values())}.",
    ),
]
