"""Beginning anew to make a file searchable, and giving it up."""

from bivelio_server.boxes import queries
from bivelio_server.boxes.models import BoxFile
from bivelio_server.boxes.tasks import INGEST_TASK
from bivelio_server.durable import cancel, spawn
from bivelio_server.kit.context import Context


async def stop(context: Context, file_id: str) -> None:
    """End what is still done with a file: before its row is locked, which that locks too."""
    task_id = await queries.task_of(context, file_id)
    if task_id is not None:
        await cancel(context, task_id)


async def begin(context: Context, row: BoxFile) -> None:
    """Let the file's present content be read; what was searched before stays so until that is done."""
    row.state, row.progress, row.error = "pending", 0.0, None
    row.task_id = await spawn(context, INGEST_TASK, {"file_id": row.id})
