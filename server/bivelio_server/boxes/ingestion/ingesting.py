"""The durable task that makes a file searchable: read, cut into chunks, embed them, add them to the box's index.

What is done is kept on the way, so that a crash costs a batch: pages and chunks together, then the vectors of each
batch. Nothing of it is searched before the last transaction, which makes the file ready.
"""

import asyncio
from importlib import import_module
from typing import Final

import structlog
from prometheus_client import Counter

from bivelio_server.boxes.ingestion import queries
from bivelio_server.boxes.ingestion.embedding import embed_missing, settle_models
from bivelio_server.boxes.ingestion.pages import pages_of
from bivelio_server.boxes.ingestion.publishing import publish
from bivelio_server.boxes.ingestion.turns import FILES
from bivelio_server.boxes.ingestion.work import ADD_OPERATION, Work, while_there
from bivelio_server.boxes.models import BoxFile
from bivelio_server.documents.sources import BACKGROUND, read_stored
from bivelio_server.durable import Run, Superseded
from bivelio_server.kit import audit
from bivelio_server.kit.context import Context
from bivelio_server.kit.db import passes_by_itself
from bivelio_server.kit.errors import (
    APIError,
    Impossible,
    IntegrationFailed,
    InternalError,
    NotFound,
    Problem,
    Unavailable,
    ValidationFailed,
)
from bivelio_server.kit.text import Text

#: A file that takes its worker down so often is not tried again.
MOST_LOST: Final = 3
_FIELD: Final = "content_base64"
#: Its splitter is loaded when a file is cut: a server that has no boxes does without.
_CHUNKING: Final = "bivelio_server.boxes.ingestion.chunking"
_log = structlog.get_logger()

INGESTED: Final = Counter("bivelio_box_files_ingested_total", "Files of boxes made searchable by outcome.", ["outcome"])


async def ingest(run: Run) -> None:
    """The handler of the durable task `boxes.ingest`."""
    try:
        async with run.outside(), FILES.turn(run.org_id):
            await _go_through(run)
    except (Superseded, Unavailable):
        raise
    except APIError as error:
        if isinstance(error, IntegrationFailed) and error.retryable:
            raise
        await _fail(run, error)
    except Exception as error:
        if passes_by_itself(error) or isinstance(error, OSError):
            raise  # the worker tries again, without limit
        _log.error("box_file_crashed", file=run.params["file_id"], exc_info=error)
        await _fail(run, InternalError())


async def _go_through(run: Run) -> None:
    work = await _begin(run)
    if work is None or not (work.is_cut or await _cut(work)):
        return
    while (models := await settle_models(work)) is not None:
        for model in models:
            if not await embed_missing(work, model):
                return
        if await publish(work, models):
            INGESTED.labels("ready").inc()
            return


async def _begin(run: Run) -> Work | None:
    """None when there is nothing left to do."""
    begun: list[Work] = []

    async def begin(context: Context, row: BoxFile) -> None:
        if row.state == "processing" and run.lost >= MOST_LOST:
            raise InternalError(_TAKES_DOWN)
        if row.state == "pending":
            # Others may have taken the worker down while it waited for its turn.
            run.get_on()
        row.state, row.error = "processing", None
        is_cut = await queries.is_cut(context, row)
        begun.append(Work(run, row.box_id, row.id, row.file_name, row.revision, row.file, is_cut))

    await while_there(run, None, begin)
    return begun[0] if begun else None


async def _cut(work: Work) -> bool:
    """Read the file and keep its pages and chunks; false where it is gone."""
    reading = await read_stored(work.run.services, work.file, work.file_name, _FIELD, BACKGROUND)
    pages = await asyncio.to_thread(pages_of, reading)
    del reading
    chunks = await asyncio.to_thread(import_module(_CHUNKING).chunks_of, pages, work.file_name, work.ai.fits)
    if not chunks:
        raise Impossible(Problem(_FIELD, "empty", _NO_TEXT))

    async def keep(context: Context, row: BoxFile) -> None:
        await queries.add_content(context, row, pages, chunks)
        row.page_count, row.chunk_count = len(pages), len(chunks)
        work.run.get_on()

    return await work.keep(keep)


async def _fail(run: Run, error: APIError) -> None:
    """Nothing of the content is kept; what was searched before stays so."""

    async def fail(context: Context, row: BoxFile) -> None:
        await queries.remove_content(context, row, row.revision)
        row.state, row.error = "failed", _shown(error)
        row.page_count, row.chunk_count = None, None
        if row.ready_revision == row.revision:
            row.ready_revision, row.seq = None, None
        row.version, row.updated_at = row.version + 1, context.now
        await context.session.flush()
        await audit.write(context, ADD_OPERATION, complete=False)
        await run.finish(context.session)

    if await while_there(run, None, fail):
        INGESTED.labels("failed").inc()


def _shown(error: APIError) -> dict[str, object]:
    problem = error.problems[0] if isinstance(error, ValidationFailed) else None
    field = problem.field if problem else error.details.get("field") if isinstance(error, NotFound) else None
    return {
        "code": error.code,
        "field": field,
        "constraint": problem.constraint if problem else None,
        "message": {"es": error.text.es, "en": error.text.en},
    }


_TAKES_DOWN: Final = Text(
    "El fichero no se ha podido leer: cada intento ha parado el servidor que lo hacía.",
    "The file could not be read: every attempt has stopped the server that made it.",
)
_NO_TEXT: Final = Text(
    "El fichero no contiene texto que se pueda buscar.", "The file contains no text that could be searched."
)
