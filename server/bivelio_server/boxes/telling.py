"""Telling what became of a file."""

from bivelio_server.boxes.events import FILE_FAILED, FILE_READY
from bivelio_server.boxes.models import BoxFile
from bivelio_server.boxes.views import file_view
from bivelio_server.events.recording import record
from bivelio_server.kit.context import Context


async def tell(context: Context, row: BoxFile) -> None:
    """Its present content is searched now, or never will be: `state` is `ready` or `failed`."""
    await record(context, FILE_READY if row.state == "ready" else FILE_FAILED, file_view(row))
