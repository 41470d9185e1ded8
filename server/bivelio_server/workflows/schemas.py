"""What the workflow operations take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from bivelio_server.kit.models import FreeObject, Id, Input, Name, Output, PageInput, Pagination, Timestamp
from bivelio_server.workflows.definition import Definition, ManualTrigger, Seconds, SomeSteps, Steps, Trigger

Status = Literal["draft", "active", "paused"]
InstanceStatus = Literal["running", "waiting", "paused", "completed", "failed", "cancelled"]
StepStatus = Literal["running", "waiting", "completed", "failed", "cancelled"]
Concurrency = Literal["many", "one", "queue"]
TriggerType = Literal["manual", "event", "cron", "webhook", "workflow", "retry"]
Description = Annotated[str, Field(max_length=2000)]
#: Why a version was saved.
Note = Annotated[str, Field(min_length=1, max_length=500, examples=["Ahora espera un día antes de escribir"])]
VersionNumber = Annotated[int, Field(ge=1, le=2_147_483_647)]
IfVersion = Annotated[int | None, Field(ge=1, description="Refuse (409) when the workflow is not at this version.")]


class WorkflowList(PageInput):
    """`search` looks in name and description, whatever the accents and case."""

    search: str | None = Field(None, max_length=200, examples=["bienvenida"])
    status: Status | None = None
    trigger_type: Literal["manual", "event", "cron", "webhook"] | None = None
    deleted: bool = Field(False, description="List the deleted workflows instead, those that `restore` brings back.")


class WorkflowReference(Input):
    id: Id


class DefinitionInput(Input):
    """A definition, part by part."""

    trigger: Trigger = Field(default=ManualTrigger(type="manual"))
    steps: SomeSteps
    output: dict[str, Any] | None = None
    on_error: Steps = Field(default=[])
    timeout_seconds: Seconds | None = None
    input_schema: dict[str, Any] | None = None

    @property
    def definition(self) -> Definition:
        return Definition.model_construct(**{name: getattr(self, name) for name in Definition.model_fields})


class Heading(Input):
    """What a workflow is besides its definition."""

    name: Name = Field(examples=["Onboarding de cliente"])
    description: Description | None = None
    concurrency: Concurrency = "many"


class WorkflowCreate(DefinitionInput, Heading):
    """`concurrency`: `many` run side by side; `one` refuses a run while another goes on; with `queue` they wait for
    one another, in their order. The rest is the workflow's definition."""

    status: Literal["active", "draft"] = "active"
    note: Note | None = None


class WorkflowUpdate(Input):
    """Given fields change; the result is a new version. Runs in flight keep the version they began with."""

    id: Id
    name: Name | None = None
    description: Description | None = None
    trigger: Trigger | None = None
    steps: SomeSteps | None = None
    output: dict[str, Any] | None = None
    on_error: Steps | None = None
    timeout_seconds: Seconds | None = None
    input_schema: dict[str, Any] | None = None
    concurrency: Concurrency | None = None
    note: Note | None = Field(None, description="Why. A note alone makes a version, too.")
    if_version: IfVersion = None


class WorkflowSummary(Output):
    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    description: str | None
    status: Status
    trigger_type: str
    steps_count: int
    concurrency: Concurrency
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class DefinitionView(Output):
    """A definition as it was saved."""

    trigger: dict[str, Any]
    steps: list[dict[str, Any]]
    output: dict[str, Any] | None
    on_error: list[dict[str, Any]]
    timeout_seconds: int | None
    input_schema: dict[str, Any] | None


class WorkflowView(DefinitionView, WorkflowSummary):
    """A workflow with the definition of its newest version. `next_run_at`: when its schedule starts it next."""

    model_config = ConfigDict(title="Workflow", from_attributes=True)

    next_run_at: datetime | None


class WorkflowPage(Output):
    workflows: list[WorkflowSummary]
    pagination: Pagination


class WorkflowExecute(Input):
    """With `async: false` the reply waits for the end, at most 60 seconds."""

    workflow_id: Id
    input: FreeObject = Field(default={})
    async_: bool = Field(True, alias="async")


def _one_or_many(given: Any) -> str:
    return "<many>" if isinstance(given, list) else "<one>"


Statuses = Annotated[
    Annotated[InstanceStatus, Tag("<one>")]
    | Annotated[Annotated[list[InstanceStatus], Field(min_length=1, max_length=6)], Tag("<many>")],
    Discriminator(_one_or_many),
]


class InstanceFilter(Input):
    """`status`: one, or several of them. `parent_id`: the runs that steps of this one have started."""

    workflow_id: Id | None = None
    status: Statuses | None = None
    started_after: Timestamp | None = None
    started_before: Timestamp | None = None
    parent_id: Id | None = None

    @property
    def statuses(self) -> list[InstanceStatus] | None:
        return [self.status] if isinstance(self.status, str) else self.status


class InstanceList(InstanceFilter, PageInput):
    pass


class InstanceReference(Input):
    instance_id: Id


class InstanceSummary(Output):
    """A run. `current_step` is the 1-based position among the top-level steps. While it is `queued` it waits for its
    turn and has not begun. `parent_id` is the run whose step started it, `rerun_of` the one that it repeats; `rounds`
    tells how often it was retried. A large input or output that would make a reply too long is null and marked as
    truncated: `get_output` gives it."""

    model_config = ConfigDict(from_attributes=True)

    instance_id: str
    workflow_id: str
    workflow_name: str
    version: int
    status: InstanceStatus
    current_step: int
    total_steps: int
    input: dict[str, Any] | None
    input_truncated: bool
    output: Any
    output_truncated: bool
    error: dict[str, Any] | None
    queued: bool
    trigger_type: TriggerType
    parent_id: str | None
    rerun_of: str | None
    rounds: int
    started_by: str
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    duration_ms: int | None


class InstanceProgress(Output):
    """How far a run has come."""

    instance_id: str
    status: InstanceStatus
    current_step: int
    total_steps: int
    updated_at: datetime
    finished_at: datetime | None


class StepView(Output):
    """What one step did. `uses` is the operation's name or the step's keyword; `path` tells the passes through a loop
    apart (`each[3].mail`). After a failure that may pass it is tried again at `retry_at`."""

    model_config = ConfigDict(title="InstanceStep", from_attributes=True)

    path: str
    step_id: str
    uses: str
    status: StepStatus
    attempts: int
    input: Any
    input_truncated: bool
    output: Any
    output_truncated: bool
    error: dict[str, Any] | None
    started_at: datetime
    finished_at: datetime | None
    retry_at: datetime | None
    duration_ms: int | None


class PastStepView(StepView):
    """What a step did before the run was retried from it, or from one before it: in the retry `superseded_in`."""

    model_config = ConfigDict(title="PastInstanceStep", from_attributes=True)

    superseded_in: int


class OutputReference(Input):
    """Of the run as a whole, or of the step at `path`."""

    instance_id: Id
    path: str | None = Field(None, max_length=1000, examples=["each[3].mail"])
    what: Literal["input", "output"] = "output"


class OutputView(Output):
    """`bytes` is its length as JSON."""

    model_config = ConfigDict(title="InstanceOutput")

    value: Any
    bytes: int


class InstanceView(InstanceSummary):
    model_config = ConfigDict(title="Instance", from_attributes=True)

    steps: list[StepView]
    past_steps: list[PastStepView]


class InstancePage(Output):
    instances: list[InstanceSummary]
    pagination: Pagination


class FinishedInstance(Output):
    """The `data` of workflow.completed and workflow.failed. A large output is null and `output_truncated`:
    `workflows.get_instance` gives it."""

    instance_id: str
    workflow_id: str
    workflow_name: str
    status: InstanceStatus
    duration_ms: int
    output: Any
    output_truncated: bool
    error: dict[str, Any] | None
