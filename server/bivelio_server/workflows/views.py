"""Workflows and their versions as replies show them."""

from typing import Any

from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.models import Workflow, WorkflowVersion
from bivelio_server.workflows.schemas import WorkflowSummary, WorkflowView


def workflow_view(workflow: Workflow, version: WorkflowVersion) -> WorkflowView:
    """A workflow with the definition of `version`, its newest."""
    return WorkflowView(**WorkflowSummary.model_validate(workflow).model_dump(), **definition_fields(version))


def definition_fields(version: WorkflowVersion) -> dict[str, Any]:
    """What a version defines, as its author wrote it."""
    return Definition.model_validate(version.definition).as_written()
