"""What the operations on agents take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import Id, Input, Name, Output, PageInput, Pagination

Status = Literal["active", "paused"]
Category = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_]*$", examples=["nlp"])]
Description = Annotated[str, Field(max_length=2000)]
ModelName = Annotated[str, Field(min_length=1, max_length=100, examples=["gemini-2.5-flash"])]
Instructions = Annotated[str, Field(max_length=20_000)]
Exemplar = Annotated[str, Field(min_length=1, max_length=500)]
#: A model is waited for while a request waits; the lease of its `Idempotency-Key` must outlast it.
MAX_SECONDS = 100


class AgentLabel(Input):
    """One of the answers of an agent that classifies. The more unlike its exemplars are, the better."""

    name: str = Field(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_]*$", examples=["plan_upgrade"])
    description: str = Field("", max_length=500)
    exemplars: list[Exemplar] = Field(default=[], max_length=50)
    suggested_action: str | None = Field(None, max_length=100, examples=["route_to_sales"])


class AgentTool(Input):
    """An operation that the agent may use. What is irreversible, or of the scope admin, waits for approval unless it is
    granted without."""

    operation: str = Field(max_length=100, examples=["contacts.list"])
    without_approval: bool = False


class AgentLimits(Input):
    """At most so many requests to the model, so many tokens of all of them together, so many seconds."""

    steps: int = Field(8, ge=1, le=20)
    tokens: int = Field(20_000, ge=100, le=200_000)
    seconds: int = Field(60, ge=1, le=MAX_SECONDS)


Labels = Annotated[list[AgentLabel], Field(max_length=50)]
Tools = Annotated[list[AgentTool], Field(max_length=30)]


class AgentCreate(Input):
    """An agent with `labels` classifies, also without a generative model; one without follows its `instructions`.

    `model` is by default the one configured; it may be another of the same provider's, or `embedded`. `output_schema`,
    a JSON schema, is what the output must fit.
    """

    name: Name = Field(examples=["Clasificador de incidencias"])
    description: Description | None = None
    category: Category = "custom"
    model: ModelName | None = None
    instructions: Instructions = ""
    output_schema: dict[str, Any] | None = None
    labels: Labels = Field(default=[])
    tools: Tools = Field(default=[])
    limits: AgentLimits = AgentLimits()
    status: Status = "active"


class AgentUpdate(Input):
    """Only given fields change; a list that is given replaces the whole list."""

    id: Id
    name: Name | None = None
    description: Description | None = None
    category: Category | None = None
    model: ModelName | None = None
    instructions: Instructions | None = None
    output_schema: dict[str, Any] | None = None
    labels: Labels | None = None
    tools: Tools | None = None
    limits: AgentLimits | None = None
    if_version: int | None = Field(None, ge=1, description="Refuse (409) when the agent is not at this version.")


class AgentReference(Input):
    id: Id


class AgentList(PageInput):
    """`category` is one of the agents' own, or `all`."""

    status: Literal["active", "paused", "all"] = "all"
    category: str = Field("all", max_length=60)
    deleted: bool = Field(False, description="The deleted agents instead, those that `restore` brings back.")


class AgentSummary(Output):
    """`avg_latency_ms` is over the last 30 days, null while there is nothing to tell; today is the organisation's."""

    id: str
    name: str
    description: str | None
    category: str
    status: Status
    model: str
    avg_latency_ms: int | None
    invocations_today: int


class AgentPage(Output):
    agents: list[AgentSummary]
    pagination: Pagination


class LabelView(Output):
    name: str
    description: str
    exemplars: list[str]
    suggested_action: str | None


class ToolView(Output):
    operation: str
    without_approval: bool


class LimitsView(Output):
    steps: int
    tokens: int
    seconds: int


class AgentDefinition(Output):
    """All that makes an agent what it is. `model` is null where the one configured is used."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    description: str | None
    category: str
    status: Status
    model: str | None
    instructions: str
    output_schema: dict[str, Any] | None
    labels: list[LabelView]
    tools: list[ToolView]
    limits: LimitsView
    version: int


class AgentView(AgentDefinition):
    """`built_in` agents are there without having been created. Times are null where nobody has changed them."""

    built_in: bool
    avg_latency_ms: int | None
    invocations_today: int
    created_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None
