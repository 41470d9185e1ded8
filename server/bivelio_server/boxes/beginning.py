"""Beginning anew to make a file searchable, and giving it up."""

from bivelio_server.boxes import queries
from bivelio_server.boxes.models import BoxFile
from bivelio_server.boxes.tasks import DEPTH, INGEST_TASK
from bivelio_server.durable import cancel, spawn_all
from bivelio_server.kit.context import Context


async def stop(context: Context, file_id: str) -> None:
    """End what is still done with a file: before its row is locked, which that locks too."""
    task_id = await queries.task_of(context, file_id)
    if task_id is not None:
        await cancel(context, task_id)


async def begin(context: Context, *rows: BoxFile) -> None:
    """Let the files' present contents be read; what was searched before stays so until that is done."""
    depth = str(context.cause.depth)
    tasks = await spawn_all(context, INGEST_TASK, [{"file_id": row.id, DEPTH: depth} for row in rows])
    for row, task_id in zip(rows, tasks, strict=True):
        row.state, row.progress, row.error, row.task_id = "pending", 0.0, None, task_id
