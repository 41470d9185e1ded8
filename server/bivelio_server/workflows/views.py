"""Workflows, their versions and their runs as replies show them."""

from typing import Any, cast

from bivelio_server.kit.context import Context
from bivelio_server.workflows import queries
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.models import Instance, Workflow, WorkflowVersion
from bivelio_server.workflows.outputs import Shown
from bivelio_server.workflows.schemas import (
    InstanceStatus,
    InstanceSummary,
    InstanceView,
    PastStepView,
    StepView,
    TriggerType,
    WorkflowSummary,
    WorkflowView,
)
from bivelio_server.workflows.triggers import queries as triggers


async def workflow_view(context: Context, workflow: Workflow, version: WorkflowVersion) -> WorkflowView:
    """A workflow with the definition of `version`, its newest."""
    schedule = await triggers.get_schedule(context, workflow.id) if workflow.trigger_type == "cron" else None
    return WorkflowView(
        **WorkflowSummary.model_validate(workflow).model_dump(),
        **definition_fields(version),
        next_run_at=schedule and schedule.next_at,
    )


def definition_fields(version: WorkflowVersion) -> dict[str, Any]:
    """What a version defines, as its author wrote it."""
    return Definition.model_validate(version.definition).as_written()


def instance_summary(instance: Instance, workflow_name: str) -> InstanceSummary:
    """A run without its steps."""
    return InstanceSummary(
        instance_id=instance.id,
        workflow_id=instance.workflow_id,
        workflow_name=workflow_name,
        version=instance.version,
        status=cast("InstanceStatus", instance.status),
        current_step=instance.current_step,
        total_steps=instance.total_steps,
        input=instance.input,
        input_truncated=instance.input_ref is not None,
        output=instance.output,
        output_truncated=instance.output_ref is not None,
        error=instance.error,
        queued=instance.queued_at is not None and instance.finished_at is None,
        trigger_type=cast("TriggerType", instance.trigger_type),
        parent_id=instance.parent_id,
        rerun_of=instance.rerun_of,
        rounds=instance.rounds,
        started_by=instance.started_by,
        started_at=instance.started_at,
        updated_at=instance.updated_at,
        finished_at=instance.finished_at,
        duration_ms=_duration_ms(instance),
    )


async def instance_view(context: Context, instance_id: str) -> InstanceView:
    """A run with its steps. Raises NotFound."""
    instance = await queries.get_instance(context, instance_id)
    steps = await queries.list_steps(context, instance.id)
    past = await queries.list_past_steps(context, instance.id) if instance.rounds else []
    shown = Shown(context.services)
    summary = await shown.complete(instance_summary(instance, instance.workflow_name), instance)
    return InstanceView(
        **summary.model_dump(),
        steps=[await shown.complete(StepView.model_validate(step), step) for step in steps],
        past_steps=[await shown.complete(PastStepView.model_validate(step), step) for step in past],
    )


def _duration_ms(instance: Instance) -> int | None:
    if instance.finished_at is None:
        return None
    return max(0, round((instance.finished_at - instance.started_at).total_seconds() * 1000))
