"""Starting a run: the instance and its durable task, in the transaction that asks for it."""

from typing import Any, Final

from bivelio_server.durable import spawn
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text
from bivelio_server.workflows.models import Instance, Workflow

TASK: Final = "workflows.run"
MAX_DEPTH: Final = 8


async def start(
    context: Context, workflow: Workflow, input_: dict[str, Any], *, awaited: bool = False, event_id: str | None = None
) -> Instance:
    """A new run of the workflow's newest version. Raises Conflict when too many causes lie behind it."""
    if context.cause.depth > MAX_DEPTH:
        raise Conflict(_TOO_DEEP)
    instance_id, now = new_id("wfi"), context.now
    params = {"instance_id": instance_id, **({"awaited": "yes"} if awaited else {})}
    task_id = await spawn(context, TASK, params)
    instance = Instance(
        **identity(context.caller),
        id=instance_id,
        workflow_id=workflow.id,
        version=workflow.version,
        status="running",
        current_step=1,
        total_steps=workflow.steps_count,
        input=input_,
        depth=context.cause.depth,
        started_by=context.caller.actor,
        event_id=event_id,
        task_id=task_id,
        started_at=now,
        updated_at=now,
    )
    context.session.add(instance)
    await context.session.flush()
    return instance


def finished_topic(instance_id: str) -> str:
    """What is woken when an awaited instance has ended."""
    return f"instance:{instance_id}"


_TOO_DEEP: Final = Text(
    f"Los workflows se causan unos a otros más de {MAX_DEPTH} veces seguidas.",
    f"Workflows cause one another more than {MAX_DEPTH} times in a row.",
)
