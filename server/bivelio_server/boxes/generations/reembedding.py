"""The durable task that brings a box to another model: file by file beside the search, then all of it at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from bivelio_server.boxes.generations import queries
from bivelio_server.boxes.generations.changing import follow
from bivelio_server.boxes.generations.unused import remove_unused
from bivelio_server.boxes.ingestion.embedding import Kept, embed_missing
from bivelio_server.boxes.ingestion.publishing import segment_of
from bivelio_server.boxes.ingestion.queries import Generation, add_segment
from bivelio_server.boxes.ingestion.turns import FILES, MOST_WAITING
from bivelio_server.boxes.ingestion.work import Content, caller_of, model_of
from bivelio_server.durable import Run
from bivelio_server.kit.context import Cause, Context
from bivelio_server.kit.origin import Door, Origin

_log: Final = structlog.get_logger()
_NAP: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Left:
    """A file's content that has no segment of the next generation yet."""

    content: Content
    seq: int
    former: Generation
    following: Generation


async def reembed(run: Run) -> None:
    """The handler of the durable task `boxes.reembed`. A model that refuses is asked again, later and later."""
    if FILES.waiting(run.org_id) >= MOST_WAITING:
        async with _transaction(run) as context:
            await run.sleep_until(context.session, context.now + _NAP)
        return
    async with run.outside():
        async with FILES.turn(run.org_id):
            while (left := await _next(run)) is not None:
                await _bring(run, left)
        await remove_unused(run.services, caller_of(run))


async def _next(run: Run) -> _Left | None:
    """The next file; None when there is nothing left to do, and the box has its new model."""
    box_id, ai = run.params["box_id"], model_of(run)
    async with _transaction(run) as context:
        if not await queries.is_open(context, box_id):
            await run.finish(context.session)
            return None
        index = await follow(context, box_id, ai.embedding_model)
        row = await queries.left(context, box_id) if len(index.generations) > 1 else None
        if row is None:
            if len(index.generations) > 1:
                await queries.switch(context, box_id)
                _log.info("box_has_new_model", box=box_id, model=ai.embedding_model)
            await run.finish(context.session)
            return None
        content = Content(run.services, context.caller, ai, row.file_id, row.file_name, row.revision)
        return _Left(content, row.seq, *index.generations)


async def _bring(run: Run, left: _Left) -> None:
    async def keep(doing: Kept, _through: int) -> bool:
        async with _transaction(run) as context:
            await doing(context)
            run.get_on()
        return True

    await embed_missing(left.content, left.following.model, keep)
    segment = await segment_of(left.content, left.following.model)
    box_id = run.params["box_id"]
    async with _transaction(run) as context:
        # The lock of the file before that of the index, as everywhere.
        if not await queries.hold_file(context, left.content.file_id):
            return
        index = await follow(context, box_id, model_of(run).embedding_model)
        is_there = await queries.has_segment(context, box_id, left.former.number, left.seq)
        is_done = await queries.has_segment(context, box_id, left.following.number, left.seq)
        if is_there and not is_done and left.following in index.generations:
            await add_segment(context, left.content, box_id, left.following.number, left.seq, segment)


@asynccontextmanager
async def _transaction(run: Run) -> AsyncIterator[Context]:
    caller = caller_of(run)
    async with run.transaction() as session:
        context = Context(caller, session, run.services, Origin(Door.http), Cause(f"box:{run.params['box_id']}"))
        yield context
    for topic in context.topics:
        run.services.wakeups.wake(topic)
