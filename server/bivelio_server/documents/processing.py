"""What is done with a document after its upload, as a durable task; its status and progress tell how far it is.

Its credits are set aside with the upload, taken for what was done and given back for what was not.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from bivelio_server.documents import queries
from bivelio_server.documents.costs import CLASSIFY_CREDITS, EXTRACT_CREDITS
from bivelio_server.documents.fields import TYPES
from bivelio_server.documents.keeping import change, keep_classification, keep_extraction, tell
from bivelio_server.documents.models import Document as DocumentRow
from bivelio_server.documents.schemas import Document
from bivelio_server.documents.sources import BACKGROUND, read_stored
from bivelio_server.documents.understanding import Sorted, Understood, Wanted, sort, understand
from bivelio_server.documents.views import document_view
from bivelio_server.durable import Run, Superseded
from bivelio_server.kit import audit
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Cause, Context
from bivelio_server.kit.db import passes_by_itself
from bivelio_server.kit.errors import APIError, InternalError, NotFound, Unavailable, ValidationFailed
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text
from bivelio_server.reading.port import Reading

TASK: Final = "documents.process"
MOST_CREDITS: Final = CLASSIFY_CREDITS + EXTRACT_CREDITS
#: How long an upload waits for its document to be classified, to answer with it.
REPLY_SECONDS: Final = 5.0
#: Its end may have come before anybody listened for it.
_LOOK_AGAIN_SECONDS: Final = 1.0
#: A document that takes its worker down so often is not tried again.
_MOST_LOST: Final = 3
_READ, _CLASSIFIED = 0.4, 0.7
_OPERATION: Final = "documents.upload"
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


async def reserve(context: Context, *, classify: bool, extract: bool) -> str | None:
    """Set aside what the processing will cost; None when there is none. Raises CreditsExhausted."""
    amount = CLASSIFY_CREDITS * classify + EXTRACT_CREDITS * extract
    return await context.services.credits.reserve(context, _OPERATION, amount) if amount else None


async def classified(context: Context, document_id: str) -> Document:
    """The document once it is classified, or as it is after the longest time that a reply may take."""
    topic = _topic(document_id)
    woken = context.services.wakeups.subscribe(topic)
    deadline = asyncio.get_running_loop().time() + REPLY_SECONDS
    try:
        while True:
            async with transaction(context.caller, context.services, context.origin) as now:
                shown = document_view(now, await queries.get_any(now, document_id))
            left = deadline - asyncio.get_running_loop().time()
            if shown.classification is not None or shown.status in ("processed", "failed") or left <= 0:
                return shown
            await _wait(woken, min(left, _LOOK_AGAIN_SECONDS))
            woken.clear()
    finally:
        context.services.wakeups.unsubscribe(topic, woken)


async def process(run: Run) -> None:
    """The handler of the durable task `documents.process`."""
    begun = await _begin(run)
    if begun is None:
        return
    try:
        await _go_through(run, begun)
    except (Superseded, Unavailable):
        raise
    except APIError as error:
        await _fail(run, error)
    except Exception as error:
        if passes_by_itself(error) or isinstance(error, OSError):
            raise  # the worker tries again, without limit
        _log.error("document_crashed", document=run.params["document_id"], exc_info=error)
        await _fail(run, InternalError())


async def _begin(run: Run) -> Begun | None:
    """None when there is nothing left to do."""
    try:
        async with _document(run) as (context, row):
            if row is None or row.status not in ("uploaded", "processing"):
                await run.finish(context.session)
                return None
            if run.lost >= _MOST_LOST:
                raise InternalError(_TAKES_DOWN)
            row.status = "processing"
            if row.reservation_id is not None:
                # Whatever became of it while the document waited for its turn.
                amount = CLASSIFY_CREDITS * row.classify + EXTRACT_CREDITS * row.extract
                await context.services.credits.reserve(context, _OPERATION, amount, reservation_id=row.reservation_id)
            return Begun(row.file, row.filename, row.classify, row.extract)
    except APIError as error:
        await _fail(run, error)
        return None


async def _go_through(run: Run, begun: Begun) -> None:
    async with run.outside():
        reading = await read_stored(run.services, begun.file, begun.filename, "document_id", BACKGROUND)
    found = await _classify(run, reading) if begun.classify else None
    understood = await _extract(run, reading, found) if begun.extract else None
    cost = CLASSIFY_CREDITS * begun.classify + EXTRACT_CREDITS * (understood is not None)
    async with _document(run) as (context, row):
        if row is not None:
            row.status, row.progress = "processed", 1.0
            row.processed_at, row.page_count = context.now, reading.page_count
            if understood is not None:
                await keep_extraction(context, row, None, understood, pages=reading.page_count, cost=EXTRACT_CREDITS)
            await _close(context, row, cost)
        await run.finish(context.session)
    PROCESSED.labels("processed").inc()


async def _classify(run: Run, reading: Reading) -> Sorted:
    """What kind it is, kept at once: somebody may wait for it."""
    async with _document(run) as (_, row):
        if row is not None:
            row.progress = _READ
    async with run.outside():
        found = await sort(run.services, _caller(run), reading, None)
    async with _document(run) as (_, row):
        if row is not None:
            keep_classification(row, found, pages=reading.page_count)
            row.progress = _CLASSIFIED
    return found


async def _extract(run: Run, reading: Reading, found: Sorted | None) -> Understood | None:
    """Its fields; None for a document of no known type."""
    label = found.classification.label if found else None
    wanted = Wanted(document_type=label if label in TYPES else None)
    async with run.outside():
        understood = await understand(run.services, _caller(run), reading, wanted)
    return None if understood.document_type is None else understood


async def _fail(run: Run, error: APIError) -> None:
    """What was found out before stays, and is paid for; the rest is given back."""
    problem = error.problems[0] if isinstance(error, ValidationFailed) else None
    field = problem.field if problem else error.details.get("field") if isinstance(error, NotFound) else None
    async with _document(run) as (context, row):
        if row is not None:
            row.status, row.processed_at = "failed", context.now
            row.error = {
                "code": error.code,
                "field": field,
                "constraint": problem.constraint if problem else None,
                "message": {"es": error.text.es, "en": error.text.en},
            }
            await _close(context, row, CLASSIFY_CREDITS if row.classify and row.classification else 0)
        await run.finish(context.session)
    PROCESSED.labels("failed").inc()


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
    for topic in (*context.topics, _topic(document_id)):
        run.services.wakeups.wake(topic)


def _caller(run: Run) -> Caller:
    return Caller(run.org_id, run.environment, "system:documents", _NOBODY, frozenset())


def _topic(document_id: str) -> str:
    return f"document:{document_id}"


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


_TAKES_DOWN: Final = Text(
    "El documento no se ha podido procesar: cada intento ha parado el servidor que lo hacía.",
    "The document could not be processed: every attempt has stopped the server that made it.",
)
