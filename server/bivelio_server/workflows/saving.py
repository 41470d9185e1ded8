"""Saving a version: what creating, updating, restoring and importing a workflow have in common."""

from dataclasses import dataclass, fields
from typing import Any

from pydantic import ValidationError

from bivelio_server.kit import json
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity
from bivelio_server.kit.validation import validation_failed
from bivelio_server.workflows.checking import check_definition, check_rights
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.hooks.keeping import keep_hook
from bivelio_server.workflows.models import Workflow, WorkflowVersion
from bivelio_server.workflows.requiring import require_workflows
from bivelio_server.workflows.triggers.listening import listen
from bivelio_server.workflows.vault.requiring import require_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All that a version settles. `api_version` is the version of the API that the steps were written for."""

    name: str
    description: str | None
    concurrency: str
    definition: Definition
    api_version: str

    def is_same_as(self, other: "Content") -> bool:
        """For Python `1`, `True` and `1.0` are equal; what JSON tells apart is another content."""
        return self.as_json() == other.as_json()

    def as_json(self) -> bytes:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({**values, "definition": self.definition.as_written()})


def content_of(version: WorkflowVersion) -> Content:
    """What a version settled. Raises ValidationFailed when its definition is no longer a valid one."""
    try:
        definition = Definition.model_validate(version.definition)
    except ValidationError as error:
        raise validation_failed(error) from None
    return Content(
        name=version.name,
        description=version.description,
        concurrency=version.concurrency,
        definition=definition,
        api_version=version.api_version,
    )


def spoken_version(context: Context) -> str:
    """The version of the API that the caller speaks, and writes steps for."""
    return context.origin.api_version or context.services.catalogue.versions.newest


async def save_new(
    context: Context, content: Content, *, status: str, note: str | None, within: str = ""
) -> tuple[Workflow, WorkflowVersion]:
    """A new workflow in its first version; `within` is put before the place of every problem."""
    now = context.now
    workflow = Workflow(
        **identity(context.caller), id=new_id("wf"), status=status, version=0, created_at=now, updated_at=now,
    )  # fmt: skip
    version = await save(context, workflow, content, note=note, within=within)
    return workflow, version


async def save(
    context: Context,
    workflow: Workflow,
    content: Content,
    *,
    note: str | None = None,
    restored_from: int | None = None,
    within: str = "",
) -> WorkflowVersion:
    """A new version with this content, checked; an active workflow goes on with the rights of who saves it."""
    _check(context, content, within)
    if workflow.status == "active":
        await require_secrets(context, content.definition, within)
        await require_workflows(context, content.definition, within)
    await _settle(context, workflow, content)
    version = WorkflowVersion(
        **identity(context.caller), **_columns(content), workflow_id=workflow.id, version=workflow.version,
        note=note, restored_from=restored_from, created_by=context.caller.actor, created_at=context.now,
        activated_rights=[],
    )  # fmt: skip
    if workflow.status == "active":
        freeze_rights(context, version)
    context.session.add(version)
    await context.session.flush()
    await listen(context, workflow, content.definition)
    await keep_hook(context, workflow, content.definition)
    return version


def freeze_rights(context: Context, version: WorkflowVersion) -> None:
    """The workflow acts with the rights of who asks, as they are now."""
    version.activated_by = context.caller.principal
    version.activated_rights = sorted(context.caller.rights)


def _check(context: Context, content: Content, within: str) -> None:
    try:
        services = context.services
        check_definition(content.definition, services.catalogue, content.api_version, services.events)
    except ValidationFailed as error:
        if not within:
            raise
        found = [Problem(f"{within}.{problem.field}", problem.constraint, problem.text) for problem in error.problems]
        raise ValidationFailed(found) from None
    check_rights(content.definition, context.services.catalogue, context.caller)


async def _settle(context: Context, workflow: Workflow, content: Content) -> None:
    """The workflow as its new version has it."""
    definition = content.definition
    workflow.name, workflow.description, workflow.concurrency = content.name, content.description, content.concurrency
    workflow.trigger_type, workflow.steps_count = definition.trigger.type, len(definition.steps)
    workflow.version += 1
    workflow.updated_at = context.now
    context.session.add(workflow)
    await context.session.flush()


def _columns(content: Content) -> dict[str, Any]:
    return {
        "name": content.name,
        "description": content.description,
        "concurrency": content.concurrency,
        "definition": content.definition.as_written(),
        "api_version": content.api_version,
    }
