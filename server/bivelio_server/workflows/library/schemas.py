"""What the operations on versions take and give."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import Id, Input, Output, PageInput, Pagination, Words
from bivelio_server.workflows.schemas import Concurrency, DefinitionView, IfVersion, Note, VersionNumber


class VersionList(PageInput):
    id: Id


class VersionReference(Input):
    id: Id
    version: VersionNumber


class VersionComparisonInput(Input):
    """What leads from one version to another one; without `to`, to the newest."""

    model_config = ConfigDict(validate_by_name=False)

    id: Id
    from_: VersionNumber = Field(alias="from")
    to: VersionNumber | None = None


class VersionRestore(Input):
    """Saves what the version held as a new one; the workflow's status stays as it is."""

    id: Id
    version: VersionNumber
    note: Note | None = None
    if_version: IfVersion = None


class VersionSummary(Output):
    """A save. `api_version` is the version of the API that its steps were written for; `restored_from` the version
    that it brought back; `activated_by` whose rights its runs act with, null while it was never active."""

    model_config = ConfigDict(title="WorkflowVersionSummary", from_attributes=True)

    workflow_id: str
    version: int
    note: str | None
    created_by: str
    created_at: datetime
    restored_from: int | None
    activated_by: str | None
    name: str
    description: str | None
    concurrency: Concurrency
    api_version: str


class VersionView(DefinitionView, VersionSummary):
    """A version with all that it settled."""

    model_config = ConfigDict(title="WorkflowVersion", from_attributes=True)


class VersionPage(Output):
    model_config = ConfigDict(title="WorkflowVersionPage")

    versions: list[VersionSummary]
    pagination: Pagination


class ChangedField(Output):
    """`field` is a path within its step or workflow (`with.email`); null where there is nothing."""

    field: str
    before: Any
    after: Any


class ChangedStep(Output):
    """What became of one step, known by its id. Its places are paths (`steps[2].then[0]`), null where it is not.

    `moved`: its order among its neighbours, or the list that it stands in, is another one. Steps within it answer for
    themselves. `text` says it in words.
    """

    step_id: str
    change: Literal["added", "removed", "changed", "moved"]
    moved: bool
    uses: str
    place_before: str | None
    place_after: str | None
    fields: list[ChangedField]
    text: Words


class VersionComparison(Output):
    """`settings` holds name, description and whatever else of the workflow is neither its trigger nor its steps."""

    model_config = ConfigDict(title="WorkflowVersionComparison", serialize_by_alias=True, validate_by_name=True)

    workflow_id: str
    from_: int = Field(alias="from")
    to: int
    identical: bool
    settings: list[ChangedField]
    trigger: list[ChangedField]
    steps: list[ChangedStep]
