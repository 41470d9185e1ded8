"""Forgetting the files that hold a person's data."""

from collections.abc import Sequence
from typing import Final

from bivelio_server.durable import cancel as cancel_task
from bivelio_server.jobs import queries
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text


async def forget_files_about(context: Context, mentioned: Sequence[str], after: str) -> tuple[str | None, int]:
    """Delete those of the next files after that id that have one of these texts (in lower case) in them.

    Gives where it got to (None at the end), and of how many jobs files were deleted. A job that still reads or
    writes such a file fails: it would bring back what is being erased.
    """
    last, found = await queries.files_that_mention(context, mentioned, after)
    for job_id, task_id in found.items():
        if task_id is not None:
            await cancel_task(context, task_id)
        error = {"code": Conflict.code, "message_es": _ERASED.es, "message_en": _ERASED.en}
        key = {**identity(context.caller), "id": job_id}
        await queries.fail(context.session, key, error, context.now)
        await queries.forget_files(context.session, identity(context.caller), job_id, "input", "output")
    return last, len(found)


_ERASED: Final = Text(
    "El fichero del trabajo contenía datos de una persona que se ha borrado. Empieza el trabajo de nuevo sin ellos.",
    "The job's file held data of a person who has been erased. Start the job again without them.",
)
