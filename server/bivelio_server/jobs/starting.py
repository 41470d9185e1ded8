"""Starting a job: its row, its input and its durable task, in the transaction of the operation that asks for it."""

from collections.abc import Sequence
from typing import Any, Final

from bivelio_server.durable import spawn
from bivelio_server.jobs import queries
from bivelio_server.jobs.models import Job
from bivelio_server.jobs.schemas import JobStarted
from bivelio_server.kit.context import Context
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity

TASK: Final = "jobs.run"
_PIECES_AT_ONCE: Final = 16


async def start(
    context: Context,
    operation: str,
    params: dict[str, Any],
    *,
    counts: dict[str, int] | None = None,
    input_pieces: Sequence[bytes] = (),
) -> JobStarted:
    """A queued job. `params` and `input_pieces` are what its batches need to know; both are forgotten at its end."""
    job_id, caller = new_id("job"), context.caller
    context.session.add(
        Job(
            **identity(caller), id=job_id, operation=operation, status="queued", progress=0.0,
            counts={"errors": 0, **(counts or {})}, params=params, cursor={}, failures=0, errors_count=0,
            depth=context.cause.depth, created_by=caller.actor, on_behalf_of=caller.on_behalf_of,
            rights=sorted(caller.rights), door=context.origin.door.value, request_id=context.origin.request_id,
            address=context.origin.address, task_id=await spawn(context, TASK, {"job_id": job_id}),
            created_at=context.now,
        )
    )  # fmt: skip
    await context.session.flush()
    if input_pieces:
        await queries.make_file(context, job_id, "input", name="input", media_type="application/json")
    for first in range(0, len(input_pieces), _PIECES_AT_ONCE):
        pieces = input_pieces[first : first + _PIECES_AT_ONCE]
        await queries.add_pieces(context, job_id, "input", first, pieces)
    return JobStarted(job_id=job_id)
