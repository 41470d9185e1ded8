"""Cancelling runs because somebody asks for it."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict
from bivelio_server.kit.text import Text
from bivelio_server.workflows.control import queries
from bivelio_server.workflows.control.queries import CancelledRun
from bivelio_server.workflows.control.waking import tell_parent
from bivelio_server.workflows.instances import finished_topic
from bivelio_server.workflows.queries import get_instance
from bivelio_server.workflows.running.abandoned import cancel_runs, cancelled_error

#: A run may begin, or be retried, while it is cancelled: then it has another task.
_TRIES: Final = 3


async def cancel(context: Context, instance_id: str, reason: str | None) -> None:
    """Raises NotFound; Conflict when the run has ended, or is the one that asks."""
    await queries.be_patient(context)
    for _ in range(_TRIES):
        instance = await get_instance(context, instance_id)
        require_open(instance)
        if await cancel_open(context, [instance_id], reason):
            context.wake(finished_topic(instance_id))
            return
    raise Conflict


async def cancel_open(context: Context, instance_ids: Sequence[str], reason: str | None) -> list[CancelledRun]:
    """Those of these runs that had not ended; with them go the runs that they wait for."""
    if not instance_ids:
        return []
    said = _CANCELLED if reason is None else Text(reason, reason)
    cancelled = await cancel_runs(context, instance_ids, cancelled_error(said, context.caller.actor))
    asking = (context.cause.origin or "").removeprefix("run:")
    for run in cancelled:
        if run.id == asking:
            raise Conflict(_ITSELF)
        context.changed("workflow_instances", run.id, {"status": run.status}, {"status": "cancelled", "error": said.es})
    asked_for = set(instance_ids)
    found = [run for run in cancelled if run.id in asked_for]
    for run in found:
        await tell_parent(context, run.parent_id, run.parent_path)
    return found


class _Ending(Protocol):
    status: Any
    finished_at: Any


def require_open(instance: _Ending) -> None:
    """Raises Conflict, saying how it ended."""
    if instance.finished_at is not None:
        raise Conflict(_ENDED.format(status=instance.status), details={"status": instance.status})


_CANCELLED: Final = Text("La ejecución se ha cancelado.", "The run was cancelled.")
_ENDED: Final = Text("La ejecución ya ha terminado ({status}).", "The run has already ended ({status}).")
_ITSELF: Final = Text(
    "Una ejecución no puede cancelarse a sí misma: usa un paso 'stop'.",
    "A run cannot cancel itself: use a 'stop' step.",
)
