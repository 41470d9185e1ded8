"""Starting a run: the instance and its durable task, in the transaction that asks for it."""

from typing import Any, Final

from bivelio_server.durable import spawn
from bivelio_server.kit import json
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text
from bivelio_server.kit.watches import Key
from bivelio_server.workflows.models import Instance, Workflow
from bivelio_server.workflows.queries import Runnable

TASK: Final = "workflows.run"
#: Runs among what clients watch.
WATCHED: Final = "workflow_instances"
MAX_DEPTH: Final = 8
# Written directly: the row is never changed through this session, and starting a run must be cheap.
_INSERT: Final = """
    insert into workflow_instances (org_id, environment, id, workflow_id, version, status, current_step, total_steps,
                                    input, depth, started_by, event_id, task_id, started_at, updated_at)
    values (%(org_id)s, %(environment)s, %(id)s, %(workflow_id)s, %(version)s, 'running', 1, %(total_steps)s,
            cast(%(input)s as jsonb), %(depth)s, %(started_by)s, %(event_id)s, %(task_id)s, %(now)s, %(now)s)
"""


async def start(
    context: Context,
    workflow: Workflow | Runnable,
    input_: dict[str, Any],
    *,
    awaited: bool = False,
    event_id: str | None = None,
) -> Instance:
    """A new run of the workflow's newest version. Raises Conflict when too many causes lie behind it."""
    if context.cause.depth > MAX_DEPTH:
        raise Conflict(_TOO_DEEP)
    instance_id, now = new_id("wfi"), context.now
    params = {"instance_id": instance_id, **({"awaited": "yes"} if awaited else {})}
    row = {
        **identity(context.caller),
        "id": instance_id,
        "workflow_id": workflow.id,
        "version": workflow.version,
        "total_steps": workflow.steps_count,
        "depth": context.cause.depth,
        "started_by": context.caller.actor,
        "event_id": event_id,
        "task_id": await spawn(context, TASK, params),
    }
    await context.session.run(_INSERT, {**row, "input": json.dumps(input_).decode(), "now": now})
    return Instance(**row, status="running", current_step=1, input=input_, started_at=now, updated_at=now)


def finished_topic(instance_id: str) -> str:
    """What is woken when an awaited instance has ended."""
    return f"instance:{instance_id}"


def watch_key(caller: Caller, instance_id: str) -> Key:
    return caller.org_id, caller.environment.value, instance_id


def tell_watchers(context: Context, instance_id: str) -> None:
    """After a commit: who watches the run in this process sees the change at once, the others soon."""
    context.services.watches.hint(WATCHED, watch_key(context.caller, instance_id))


_TOO_DEEP: Final = Text(
    f"Los workflows se causan unos a otros más de {MAX_DEPTH} veces seguidas.",
    f"Workflows cause one another more than {MAX_DEPTH} times in a row.",
)
