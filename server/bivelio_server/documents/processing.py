"""What is done with a document after its upload, as a durable task; its status and progress tell how far it is.

Its credits were set aside when it was queued; they are taken for what was done and given back for what was not.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from bivelio_server.ai.usage import count_all
from bivelio_server.documents import queries
from bivelio_server.documents.costs import CLASSIFY_CREDITS, EXTRACT_CREDITS
from bivelio_server.documents.fields import TYPES
from bivelio_server.documents.keeping import change, keep_classification, keep_extraction, tell
from bivelio_server.documents.models import Document as DocumentRow
from bivelio_server.documents.queueing import cost_of, is_under_way, topic
from bivelio_server.documents.sources import BACKGROUND, read_in_turn, turn, waiting
from bivelio_server.documents.understanding import Sorted, Understood, Wanted, sort, understand
from bivelio_server.durable import Run, Superseded
from bivelio_server.kit import audit
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Cause, Context
from bivelio_server.kit.db import passes_by_itself
from bivelio_server.kit.errors import APIError, InternalError, Unavailable, as_stored
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text
from bivelio_server.reading.port import Reading, Tell

#: A document that takes its worker down so often is not tried again.
_MOST_LOST: Final = 3
#: Of a storage that is away: tried for a night, then it is for people to say when (`documents.process`).
_MOST_ATTEMPTS: Final = 100
#: Rules and models are through long before.
_STEP_SECONDS: Final = 600
_READ, _CLASSIFIED = 0.9, 0.95
#: How often a reading's progress is noted, and how often the lease of its credits is extended.
_NOTED_SECONDS: Final = 2.0
_EXTENDED_SECONDS: Final = 300.0
#: As many of an organisation's documents wait for a reading in a process; further ones look again after a tenth of
#: their age, within these bounds: many that wait must cost little, and leave places to other work.
_MOST_WAITING: Final = 8
_SHORTEST_NAP: Final = timedelta(seconds=0.5)
_LONGEST_NAP: Final = timedelta(seconds=60)
_OPERATION: Final = "documents.process"
_NOBODY: Final = UUID(int=0)
_log = structlog.get_logger()

PROCESSED: Final = Counter("bivelio_documents_processed_total", "Uploaded documents processed by outcome.", ["outcome"])


@dataclass(frozen=True, slots=True)
class Begun:
    """What is to be done with which file."""

    file: dict[str, Any]
    filename: str
    classify: bool
    extract: bool


async def process(run: Run) -> None:
    """The handler of the durable task. Whatever happens, the document comes to an end."""
    try:
        begun = await _begin(run)
        if begun is not None:
            await _go_through(run, begun)
    except (Superseded, Unavailable):
        raise
    except APIError as error:
        await _fail(run, error)
    except Exception as error:
        if _may_pass(error) and run.attempt < _MOST_ATTEMPTS:
            raise  # the worker tries again, later and later
        _log.error("document_crashed", document=run.params["document_id"], exc_info=error)
        await _fail(run, InternalError())


def _may_pass(error: Exception) -> bool:
    """Whether it is the database's or the system's rather than the document's."""
    return passes_by_itself(error) or isinstance(error, OSError)


async def _begin(run: Run) -> Begun | None:
    """None when there is nothing left to do for now. Raises InternalError, CreditsExhausted."""
    async with _document(run) as (context, row):
        if row is None or not is_under_way(row) or row.task_id != run.task_id:
            await run.finish(context.session)
            return None
        if waiting(run.services, row.file, BACKGROUND) >= _MOST_WAITING:
            await run.sleep_until(context.session, context.now + _nap(context.now - row.updated_at))
            return None
        if row.status == "uploaded":
            # Others may have taken the worker down while it waited for its turn.
            run.get_on()
        elif run.lost >= _MOST_LOST:
            raise InternalError(_TAKES_DOWN)
        await _reserve(context, row)
        return Begun(row.file, row.filename, row.classify, row.extract)


def _nap(age: timedelta) -> timedelta:
    return min(_LONGEST_NAP, max(_SHORTEST_NAP, age / 10))


async def _go_through(run: Run, begun: Begun) -> None:
    reading = await _read(run, begun)
    found = await _classify(run, reading) if begun.classify else None
    understood = await _extract(run, reading, found) if begun.extract else None
    cost = CLASSIFY_CREDITS * begun.classify + EXTRACT_CREDITS * (understood is not None)
    async with _document(run) as (context, row):
        await count_all(context, understood.calls if understood else ())
        if row is not None:
            row.status, row.progress = "processed", 1.0
            row.processed_at, row.page_count = context.now, reading.page_count
            if understood is not None:
                await keep_extraction(context, row, None, understood, pages=reading.page_count, cost=EXTRACT_CREDITS)
            await _close(context, row, cost)
        await run.finish(context.session)
    PROCESSED.labels("processed").inc()


async def _read(run: Run, begun: Begun) -> Reading:
    """It is told to be processed when its turn has come."""
    async with run.outside(), _followed(run) as progress, turn(run.services, begun.file, BACKGROUND):
        async with _beside(run) as (_, row):
            if row is not None:
                row.status = "processing"
        return await read_in_turn(run.services, begun.file, begun.filename, "document_id", BACKGROUND, progress)


@asynccontextmanager
async def _followed(run: Run) -> AsyncIterator[Tell]:
    """What tells how far the reading is; until the end of the block that is noted now and then."""
    share, over = 0.0, asyncio.Event()

    def progress(read: int, pages: int) -> None:
        nonlocal share
        share = read / pages

    async def note() -> None:
        noted, noted_at = 0.0, time.monotonic()
        while not await _is_set(over, _NOTED_SECONDS):
            if share > noted or time.monotonic() - noted_at > _EXTENDED_SECONDS:
                noted, noted_at = share, time.monotonic()
                await _note(run, round(_READ * share, 3))

    noting = asyncio.create_task(note())
    try:
        yield progress
    finally:
        over.set()
        await noting


async def _note(run: Run, progress: float) -> None:
    """The lease of its credits is extended, too."""
    try:
        async with _beside(run) as (context, row):
            if row is not None:
                row.progress = max(row.progress, progress)
                await _reserve(context, row)
    except Exception as error:  # noqa: BLE001 - the reading goes on whoever follows it
        _log.warning("progress_not_noted", document=run.params["document_id"], error=str(error))


@asynccontextmanager
async def _beside(run: Run) -> AsyncIterator[tuple[Context, DocumentRow | None]]:
    """The document, locked, as long as it is for this run to process it.

    Beside the run's own transactions: it needs no place, which those who wait for its turn may have.
    """
    async with transaction(_caller(run), run.services, Origin(Door.http)) as context:
        row = await queries.find_locked(context.session, context.caller, run.params["document_id"])
        yield context, row if row is not None and is_under_way(row) and row.task_id == run.task_id else None


async def _reserve(context: Context, row: DocumentRow) -> None:
    """What it will cost, whatever became of it meanwhile."""
    if row.reservation_id is not None:
        await context.services.credits.reserve(context, _OPERATION, cost_of(row), reservation_id=row.reservation_id)


async def _classify(run: Run, reading: Reading) -> Sorted:
    """What kind it is, kept at once: somebody may wait for it."""
    async with _document(run) as (_, row):
        if row is not None:
            row.progress = _READ
    async with run.outside(), _in_time():
        found = await sort(run.services, _caller(run), reading, None)
    async with _document(run) as (context, row):
        await count_all(context, found.calls)
        if row is not None:
            keep_classification(row, found, pages=reading.page_count)
            row.progress = _CLASSIFIED
    return found


async def _extract(run: Run, reading: Reading, found: Sorted | None) -> Understood | None:
    """Its fields; None for a document of no known type."""
    label = found.classification.label if found else None
    wanted = Wanted(document_type=label if label in TYPES else None)
    async with run.outside(), _in_time():
        understood = await understand(run.services, _caller(run), reading, wanted)
    return None if understood.document_type is None else understood


async def _fail(run: Run, error: APIError) -> None:
    """What was found out before stays, and is paid for; the rest is given back."""
    try:
        async with _document(run) as (context, row):
            if row is not None:
                _mark_failed(context, row, error)
                await _close(context, row, CLASSIFY_CREDITS if row.classify and row.classification else 0)
            await run.finish(context.session)
    except Exception as defect:
        if isinstance(defect, Superseded) or _may_pass(defect):
            raise
        _log.error("document_not_told_of", document=run.params["document_id"], exc_info=defect)
        await _fail_in_silence(run, error)
    PROCESSED.labels("failed").inc()


async def _fail_in_silence(run: Run, error: APIError) -> None:
    """Without what could not be done. The lease of its credits gives them back."""
    async with _document(run) as (context, row):
        if row is not None:
            _mark_failed(context, row, error)
        await run.finish(context.session)


def _mark_failed(context: Context, row: DocumentRow, error: APIError) -> None:
    row.status, row.processed_at, row.error = "failed", context.now, as_stored(error)


async def _close(context: Context, row: DocumentRow, cost: int) -> None:
    await change(context, row)
    await tell(context, row)
    await audit.write(context, _OPERATION, complete=False)
    if row.reservation_id is None:
        return
    ledger = context.services.credits
    if cost:
        await ledger.settle(context, row.reservation_id, cost)
    else:
        await ledger.refund(context, row.reservation_id)


@asynccontextmanager
async def _document(run: Run) -> AsyncIterator[tuple[Context, DocumentRow | None]]:
    """The document as it is now, locked, in a transaction that commits only while the run is ours."""
    caller, document_id = _caller(run), run.params["document_id"]
    async with run.transaction() as session:
        row = await queries.find_locked(session, caller, document_id)
        cause = Cause(f"document:{document_id}", row.depth if row else 0)
        context = Context(caller, session, run.services, Origin(Door.http), cause)
        yield context, row
        await session.flush_changes()
    for name in (*context.topics, topic(document_id)):
        run.services.wakeups.wake(name)


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    """Whether it comes within so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Raises InternalError for what does not come to an end."""
    try:
        async with asyncio.timeout(_STEP_SECONDS):
            yield
    except TimeoutError:
        raise InternalError(_STUCK) from None


def _caller(run: Run) -> Caller:
    return Caller(run.org_id, run.environment, "system:documents", _NOBODY, frozenset())


_TAKES_DOWN: Final = Text(
    "El documento no se ha podido procesar: cada intento ha parado el servidor que lo hacía.",
    "The document could not be processed: every attempt has stopped the server that made it.",
)
_STUCK: Final = Text(
    "El documento no se ha podido procesar: entenderlo lleva demasiado tiempo.",
    "The document could not be processed: understanding it takes too long.",
)
