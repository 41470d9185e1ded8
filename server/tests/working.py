"""A worker in the test's own process."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from bivelio_server.durable import Lane, TaskHandler, Worker
from bivelio_server.kit.context import Services

_GRACE_SECONDS = 2


@asynccontextmanager
async def working(
    services: Services, handlers: Mapping[str, TaskHandler] | None = None, lanes: Sequence[Lane] = ()
) -> AsyncIterator[None]:
    """Due tasks and lanes are worked on within this block. What still hangs at its end is broken off."""
    stop = asyncio.Event()
    wakeups = asyncio.create_task(services.wakeups.run())
    worker = asyncio.create_task(Worker(services, handlers or {}, lanes).run(stop))
    try:
        yield
    finally:
        stop.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(worker, _GRACE_SECONDS)
        wakeups.cancel()
        await asyncio.wait([wakeups])


@asynccontextmanager
async def noted(services: Services) -> AsyncIterator[None]:
    """The journal of requests is written within this block."""
    stop = asyncio.Event()
    journal = asyncio.create_task(services.journal.run(stop))
    try:
        yield
    finally:
        stop.set()
        await journal
