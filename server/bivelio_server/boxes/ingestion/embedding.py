"""The vectors of a file's chunks: of what has none yet, in batches, each kept before the next is computed."""

from collections.abc import Sequence
from typing import Any, Final

from prometheus_client import Counter

from bivelio_server.ai.port import Embedded
from bivelio_server.ai.usage import count
from bivelio_server.boxes.ingestion import queries
from bivelio_server.boxes.ingestion.chunks import in_context
from bivelio_server.boxes.ingestion.queries import Generation
from bivelio_server.boxes.ingestion.turns import BATCHES
from bivelio_server.boxes.ingestion.work import Work
from bivelio_server.boxes.models import BoxFile
from bivelio_server.boxes.vectors import packed
from bivelio_server.kit.context import Context

#: Chunks that a crash may cost, some seconds of work; enough for the model to put those of like length together.
BATCH: Final = 32
#: How far a file is once it is cut into chunks.
CUT: Final = 0.1

EMBEDDED: Final = Counter("bivelio_box_chunks_embedded_total", "Chunks of boxes embedded by model.", ["model"])


async def settle_models(work: Work) -> tuple[Generation, ...] | None:
    """The models that the box's index has; None where the file is gone."""
    settled: list[tuple[Generation, ...]] = []

    async def settle(context: Context, row: BoxFile) -> None:
        index = await queries.lock_index(context, row.box_id, work.ai.embedding_model)
        settled.append(index.generations)

    await work.keep(settle)
    return settled[0] if settled else None


async def embed_missing(work: Work, generation: Generation) -> bool:
    """False where the file is gone meanwhile."""
    after = -1
    while True:
        async with work.run.services.database.transaction(work.caller) as session:
            chunks = await queries.missing(
                session, work.caller, work.file_id, work.revision, generation.model, after=after, limit=BATCH
            )
        if not chunks:
            return True
        async with BATCHES.turn(work.run.org_id):
            embedded = await embed(work, chunks, generation.model)
        after = int(chunks[-1].n)
        if not await _keep(work, generation.model, chunks, embedded, after):
            return False


async def embed(work: Work, chunks: Sequence[Any], model: str) -> Embedded:
    texts = [in_context(work.file_name, chunk.heading, chunk.text) for chunk in chunks]
    former = None if model == work.ai.embedding_model else model
    return await (work.ai.embed(texts, "passage") if former is None else work.ai.embed(texts, "passage", former))


async def _keep(work: Work, model: str, chunks: Sequence[Any], embedded: Embedded, last: int) -> bool:
    async def keep(context: Context, row: BoxFile) -> None:
        vectors = [packed(vector) for vector in embedded.vectors]
        await queries.add_vectors(context, model, [chunk.digest for chunk in chunks], vectors)
        await count(context, embedded)
        row.progress = max(row.progress, round(CUT + (1 - CUT) * (last + 1) / ((row.chunk_count or last + 1) + 1), 4))
        work.run.get_on()

    if not await work.keep(keep):
        return False
    EMBEDDED.labels(model).inc(len(chunks))
    return True
