"""The durable task that makes a file searchable: read, cut into chunks, embed them, add them to the box's index.

What is done is kept on the way, so that a crash costs a batch: pages and chunks together, then the vectors of each
batch. Nothing of it is searched before the last transaction, which makes the file ready.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Final

import structlog
from prometheus_client import Counter

from bivelio_server.ai.port import NoSuchModel
from bivelio_server.boxes.events import FILE_FAILED
from bivelio_server.boxes.generations.changing import follow
from bivelio_server.boxes.ingestion import queries
from bivelio_server.boxes.ingestion.embedding import Kept, embed_missing
from bivelio_server.boxes.ingestion.pages import pages_of
from bivelio_server.boxes.ingestion.publishing import publish
from bivelio_server.boxes.ingestion.queries import Generation, Index
from bivelio_server.boxes.ingestion.turns import FILES, MOST_WAITING, nap
from bivelio_server.boxes.ingestion.work import ADD_OPERATION, Content, Work, model_of, while_there
from bivelio_server.boxes.models import BoxFile
from bivelio_server.boxes.views import file_view
from bivelio_server.documents.sources import BACKGROUND, read_stored
from bivelio_server.durable import Run, Superseded
from bivelio_server.events.recording import record
from bivelio_server.kit import audit
from bivelio_server.kit.context import Context
from bivelio_server.kit.db import passes_by_itself
from bivelio_server.kit.errors import (
    APIError,
    Impossible,
    IntegrationFailed,
    InternalError,
    Problem,
    Unavailable,
    as_stored,
)
from bivelio_server.kit.text import Text

#: A file that takes its worker down so often is not tried again.
MOST_LOST: Final = 3
#: Of storage or a provider that is away: tried for a night, then it is for people to say when.
_MOST_ATTEMPTS: Final = 100
#: How far a file is once it is cut into chunks.
_CUT: Final = 0.1
_UNTIL_THE_NEXT: Final = timedelta(seconds=10)
_FIELD: Final = "content_base64"
#: Its splitter is loaded when a file is cut: a server that has no boxes does without.
_CHUNKING: Final = "bivelio_server.boxes.ingestion.chunking"
_log = structlog.get_logger()

INGESTED: Final = Counter("bivelio_box_files_ingested_total", "Files of boxes made searchable by outcome.", ["outcome"])


async def ingest(run: Run) -> None:
    """The handler of the durable task `boxes.ingest`."""
    try:
        if FILES.waiting(run.org_id) >= MOST_WAITING:
            await while_there(run, None, partial(_look_again, run))
            return
        async with run.outside(), FILES.turn(run.org_id):
            await _go_through(run)
    except (Superseded, Unavailable):
        raise
    except APIError as error:
        if isinstance(error, IntegrationFailed) and error.retryable and run.attempt < _MOST_ATTEMPTS:
            raise
        await _fail(run, error)
    except Exception as error:
        if (passes_by_itself(error) or isinstance(error, OSError)) and run.attempt < _MOST_ATTEMPTS:
            raise  # the worker tries again, later and later
        _log.error("box_file_crashed", file=run.params["file_id"], exc_info=error)
        await _fail(run, InternalError())


async def _look_again(run: Run, context: Context, row: BoxFile) -> None:
    await run.sleep_until(context.session, context.now + nap(context.now - row.updated_at))


async def _go_through(run: Run) -> None:
    work = await _begin(run)
    if work is None or not (work.is_cut or await _cut(work)):
        return
    while (generations := await _models(work)) is not None:
        try:
            for generation in generations:
                if not await embed_missing(work.content, generation.model, partial(_keep, work)):
                    return
        except NoSuchModel:
            await _wait_for_the_next(work, generations)
            return
        if await publish(work, generations):
            INGESTED.labels("ready").inc()
            return


async def _models(work: Work) -> tuple[Generation, ...] | None:
    """Those of the box's index; None where the file is gone."""
    settled: list[Index] = []

    async def settle(context: Context, row: BoxFile) -> None:
        settled.append(await follow(context, row.box_id, work.content.ai.embedding_model))

    await work.keep(settle)
    return settled[0].generations if settled else None


async def _keep(work: Work, keeping: Kept, through: int) -> bool:
    async def keep(context: Context, row: BoxFile) -> None:
        await keeping(context)
        share = through / ((row.chunk_count or through) + 1)
        row.progress = max(row.progress, round(_CUT + (1 - _CUT) * share, 4))
        work.run.get_on()

    return await work.keep(keep)


async def _wait_for_the_next(work: Work, generations: Sequence[Generation]) -> None:
    """The model that the box is searched by cannot be asked any more: the file is ready once the box has the next."""
    if len(generations) == 1:
        raise NoSuchModel

    async def wait(context: Context, _row: BoxFile) -> None:
        await work.run.sleep_until(context.session, context.now + _UNTIL_THE_NEXT)

    await work.keep(wait)


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
        content = Content(run.services, context.caller, model_of(run), row.id, row.file_name, row.revision)
        begun.append(Work(run, content, row.file, is_cut))

    await while_there(run, None, begin)
    return begun[0] if begun else None


async def _cut(work: Work) -> bool:
    """Read the file and keep its pages and chunks; false where it is gone."""
    name, ai = work.content.file_name, work.content.ai
    reading = await read_stored(work.run.services, work.file, name, _FIELD, BACKGROUND)
    pages = await asyncio.to_thread(pages_of, reading)
    del reading
    chunks = await asyncio.to_thread(import_module(_CHUNKING).chunks_of, pages, name, ai.fits)
    if not chunks:
        raise Impossible(Problem(_FIELD, "empty", _NO_TEXT))

    async def keep(context: Context, row: BoxFile) -> None:
        await queries.add_content(context, row, pages, chunks)
        row.page_count, row.chunk_count, row.progress = len(pages), len(chunks), _CUT
        work.run.get_on()

    return await work.keep(keep)


async def _fail(run: Run, error: APIError) -> None:
    """Nothing of the content is kept; what was searched before stays so."""

    async def fail(context: Context, row: BoxFile) -> None:
        await queries.remove_content(context, row, row.revision)
        row.state, row.error = "failed", as_stored(error)
        row.page_count, row.chunk_count = None, None
        if row.ready_revision == row.revision:
            row.ready_revision, row.seq = None, None
        row.version, row.updated_at = row.version + 1, context.now
        await context.session.flush()
        await audit.write(context, ADD_OPERATION, complete=False)
        await record(context, FILE_FAILED, file_view(row))
        await run.finish(context.session)

    if await while_there(run, None, fail):
        INGESTED.labels("failed").inc()


_TAKES_DOWN: Final = Text(
    "El fichero no se ha podido leer: cada intento ha parado el servidor que lo hacía.",
    "The file could not be read: every attempt has stopped the server that made it.",
)
_NO_TEXT: Final = Text(
    "El fichero no contiene texto que se pueda buscar.", "The file contains no text that could be searched."
)
