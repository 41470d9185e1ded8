"""Making a file searchable, at once: its segment, its state, and the end of what it was before."""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from bivelio_server.boxes.events import FILE_READY
from bivelio_server.boxes.ingestion import queries
from bivelio_server.boxes.ingestion.chunks import in_context
from bivelio_server.boxes.ingestion.queries import Generation
from bivelio_server.boxes.ingestion.work import ADD_OPERATION, Content, Work
from bivelio_server.boxes.models import BoxFile
from bivelio_server.boxes.views import file_view
from bivelio_server.events.recording import record
from bivelio_server.kit import audit
from bivelio_server.kit.context import Context

if TYPE_CHECKING:
    from bivelio_server.boxes.retrieval.segments import Stored

#: Chunks whose terms and vectors are in memory at once as more than bytes.
_SLICE: Final = 256
#: numpy is loaded when the first file is ready.
_SEGMENTING: Final = "bivelio_server.boxes.ingestion.segmenting"


async def publish(work: Work, generations: Sequence[Generation]) -> bool:
    """Whether the task is over. False: the index has other models by now, or a vector is missing."""
    content = work.content
    segments = [await segment_of(content, generation.model) for generation in generations]
    done: list[bool] = []

    async def make_ready(context: Context, row: BoxFile) -> None:
        index = await queries.lock_index(context, row.box_id, content.ai.embedding_model)
        chunks = {segment.chunks for segment in segments}
        if index.generations != tuple(generations) or chunks != {row.chunk_count}:
            return
        seq = await queries.next_seq(context, row.box_id)
        for generation, segment in zip(generations, segments, strict=True):
            await queries.add_segment(context, content, row.box_id, generation.number, seq, segment)
        await queries.remove_former(context, row, seq)
        await _keep(context, row, seq)
        await work.run.finish(context.session)
        done.append(True)

    return not await work.keep(make_ready) or bool(done)


async def segment_of(content: Content, model: str) -> "Stored":
    """Of the chunks that have a vector of the model."""
    segmenting = import_module(_SEGMENTING)
    parts: list[Stored] = []
    first = 0
    while rows := await _slice(content, model, first):
        texts = [in_context(content.file_name, row.heading, row.text) for row in rows]
        parts.append(await asyncio.to_thread(segmenting.part_of, texts, [row.vector for row in rows]))
        first += _SLICE
    segment: Stored = segmenting.whole_of(parts)
    return segment


async def _slice(content: Content, model: str, first: int) -> list[Any]:
    async with content.services.database.transaction(content.caller) as session:
        return await queries.slice_of(
            session, content.caller, content.file_id, content.revision, model, first=first, limit=_SLICE
        )


async def _keep(context: Context, row: BoxFile, seq: int) -> None:
    row.state, row.progress, row.error = "ready", 1.0, None
    row.ready_revision, row.seq, row.ready_at = row.revision, seq, context.now
    row.version, row.updated_at = row.version + 1, context.now
    await context.session.flush()
    await audit.write(context, ADD_OPERATION, complete=False)
    await record(context, FILE_READY, file_view(row))
