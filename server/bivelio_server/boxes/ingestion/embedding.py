"""The vectors of a file's chunks: of what has none yet, in batches, each kept before the next is computed."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from prometheus_client import Counter

from bivelio_server.ai.port import Embedded
from bivelio_server.ai.usage import count
from bivelio_server.boxes.ingestion import queries
from bivelio_server.boxes.ingestion.chunks import in_context
from bivelio_server.boxes.ingestion.turns import BATCHES
from bivelio_server.boxes.ingestion.work import Content
from bivelio_server.boxes.vectors import packed
from bivelio_server.kit.context import Context

#: Chunks that a crash may cost, some seconds of work; enough for the model to put those of like length together.
BATCH: Final = 32

EMBEDDED: Final = Counter("bivelio_box_chunks_embedded_total", "Chunks of boxes embedded by model.", ["model"])


#: What is to be kept, and keeps it in a transaction of whoever embeds: true, and how many chunks are through; false
#: where the file is gone meanwhile.
Kept: TypeAlias = Callable[[Context], Awaitable[None]]
Keep: TypeAlias = Callable[[Kept, int], Awaitable[bool]]


async def embed_missing(content: Content, model: str, keep: Keep) -> bool:
    """Whether the file is still there. Raises NoSuchModel where nobody has the model any more."""
    after = -1
    while chunks := await _missing(content, model, after):
        async with BATCHES.turn(content.caller.org_id):
            embedded = await _embed(content, chunks, model)
        after = int(chunks[-1].n)
        if not await keep(partial(_keep, model, chunks, embedded), after + 1):
            return False
        EMBEDDED.labels(model).inc(len(chunks))
    return True


async def _missing(content: Content, model: str, after: int) -> Sequence[Any]:
    async with content.services.database.transaction(content.caller) as session:
        return await queries.missing(
            session, content.caller, content.file_id, content.revision, model, after=after, limit=BATCH
        )


async def _embed(content: Content, chunks: Sequence[Any], model: str) -> Embedded:
    texts = [in_context(content.file_name, chunk.heading, chunk.text) for chunk in chunks]
    return await content.ai.embed(texts, "passage", model)


async def _keep(model: str, chunks: Sequence[Any], embedded: Embedded, context: Context) -> None:
    vectors = [packed(vector) for vector in embedded.vectors]
    await queries.add_vectors(context, model, [chunk.digest for chunk in chunks], vectors)
    await count(context, embedded)
