"""Asking for a document to be processed, and waiting for a part of it.

Its credits are set aside at once, so that who has none is refused; what becomes of them is for the end to tell.
"""

import asyncio
from typing import Final

from bivelio_server.documents import queries
from bivelio_server.documents.costs import CLASSIFY_CREDITS, EXTRACT_CREDITS
from bivelio_server.documents.models import Document as DocumentRow
from bivelio_server.documents.schemas import Document
from bivelio_server.documents.views import document_view
from bivelio_server.durable import spawn
from bivelio_server.kit.context import Context
from bivelio_server.kit.execution import transaction

TASK: Final = "documents.process"
MOST_CREDITS: Final = CLASSIFY_CREDITS + EXTRACT_CREDITS
#: How long a reply waits for its document to be classified, to tell of it.
REPLY_SECONDS: Final = 5.0
#: Its end may have come before anybody listened for it.
_LOOK_AGAIN_SECONDS: Final = 1.0


async def queue(context: Context, row: DocumentRow, operation: str, *, classify: bool, extract: bool) -> None:
    """Have it done, for credits set aside under the name of `operation`; with neither there is nothing to do.

    Raises CreditsExhausted.
    """
    # Its processing pays for itself, once it is done.
    context.charge(0)
    document_id = row.id
    row.classify, row.extract = classify, extract
    row.task_id = row.reservation_id = None
    if not classify and not extract:
        return
    row.task_id = await spawn(context, TASK, {"document_id": document_id})
    await context.session.flush()
    row.reservation_id = await context.services.credits.reserve(context, operation, cost_of(row))
    if classify:
        context.reply_after_commit(lambda: classified(context, document_id))


def cost_of(row: DocumentRow) -> int:
    """Of all that is to be done with it."""
    return CLASSIFY_CREDITS * row.classify + EXTRACT_CREDITS * row.extract


def is_under_way(row: DocumentRow) -> bool:
    return row.status == "processing" or (row.status == "uploaded" and row.task_id is not None)


async def classified(context: Context, document_id: str) -> Document:
    """The document once it is classified, or as it is after the longest time that a reply may take."""
    name = topic(document_id)
    woken = context.services.wakeups.subscribe(name)
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
        context.services.wakeups.unsubscribe(name, woken)


def topic(document_id: str) -> str:
    """Woken whenever its processing has come further."""
    return f"document:{document_id}"


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
