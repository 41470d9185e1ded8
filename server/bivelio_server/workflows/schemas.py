"""What the workflow operations take and give."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import FreeObject, Id, Input, Name, Output, PageInput, Pagination
from bivelio_server.workflows.definition import ManualTrigger, Step, Trigger

Status = Literal["draft", "active", "paused"]
InstanceStatus = Literal["running", "waiting", "paused", "completed", "failed", "cancelled"]
StepStatus = Literal["running", "waiting", "completed", "failed"]
Concurrency = Literal["many", "one"]


class WorkflowList(PageInput):
    status: Status | None = None
    deleted: bool = Field(False, description="List the deleted workflows instead, those that `restore` brings back.")


class WorkflowReference(Input):
    id: Id


class WorkflowCreate(Input):
    """`concurrency: one` refuses a run while another one goes on. `output` is what a run answers, by default the
    output of its last step."""

    name: Name = Field(examples=["Onboarding de cliente"])
    description: str | None = Field(None, max_length=2000)
    trigger: Trigger = Field(default=ManualTrigger(type="manual"))
    steps: list[Step] = Field(min_length=1, max_length=100)
    output: dict[str, Any] | None = None
    concurrency: Concurrency = "many"
    status: Literal["active", "draft"] = "active"


class WorkflowUpdate(Input):
    """Given fields change; the result is a new version. Runs in flight keep the version they began with."""

    id: Id
    name: Name | None = None
    description: str | None = Field(None, max_length=2000)
    trigger: Trigger | None = None
    steps: list[Step] | None = Field(None, min_length=1, max_length=100)
    output: dict[str, Any] | None = None
    concurrency: Concurrency | None = None
    if_version: int | None = Field(None, ge=1, description="Refuse (409) when the workflow is not at this version.")


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


class WorkflowView(WorkflowSummary):
    """A workflow with the definition of its newest version."""

    model_config = ConfigDict(title="Workflow", from_attributes=True)

    trigger: dict[str, Any]
    steps: list[dict[str, Any]]
    output: dict[str, Any] | None


class WorkflowPage(Output):
    workflows: list[WorkflowSummary]
    pagination: Pagination


class WorkflowExecute(Input):
    """With `async: false` the reply waits for the end, at most 60 seconds."""

    workflow_id: Id
    input: FreeObject = Field(default={})
    async_: bool = Field(True, alias="async")


class InstanceList(PageInput):
    workflow_id: Id | None = None
    status: InstanceStatus | None = None


class InstanceReference(Input):
    instance_id: Id


class InstanceSummary(Output):
    """A run. `current_step` is the 1-based position among the top-level steps."""

    model_config = ConfigDict(from_attributes=True)

    instance_id: str
    workflow_id: str
    workflow_name: str
    version: int
    status: InstanceStatus
    current_step: int
    total_steps: int
    input: dict[str, Any]
    output: Any
    error: dict[str, Any] | None
    started_by: str
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    duration_ms: int | None


class StepView(Output):
    """What one step did. `uses` is the operation's name or the step's keyword."""

    model_config = ConfigDict(title="InstanceStep", from_attributes=True)

    step_id: str
    uses: str
    status: StepStatus
    attempts: int
    input: Any
    output: Any
    error: dict[str, Any] | None
    started_at: datetime
    finished_at: datetime | None


class InstanceView(InstanceSummary):
    model_config = ConfigDict(title="Instance", from_attributes=True)

    steps: list[StepView]


class InstancePage(Output):
    instances: list[InstanceSummary]
    pagination: Pagination


class FinishedInstance(Output):
    """The `data` of workflow.completed and workflow.failed."""

    instance_id: str
    workflow_id: str
    workflow_name: str
    status: InstanceStatus
    duration_ms: int
    output: Any
    error: dict[str, Any] | None
