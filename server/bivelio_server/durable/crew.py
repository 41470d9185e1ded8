"""The tasks that a worker runs at once: how many are free, and how they end."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import structlog
from prometheus_client import Gauge

GRACE_SECONDS: Final = 10.0
#: A database that is away must not keep the process: what is not handed back by then goes on when its lease ends.
_LEAVING_SECONDS: Final = 3.0
#: One claim for several places costs hardly more than one for one.
_GATHERING_SECONDS: Final = 0.003
_log = structlog.get_logger()


PLACES: Final = Gauge("bivelio_worker_places", "Places for work at once in this process, by crew.", ["crew"])
BUSY: Final = Gauge("bivelio_worker_places_busy", "Places where work is under way, by crew.", ["crew"])


class Crew:
    def __init__(self, name: str, size: int) -> None:
        PLACES.labels(name).set(size)
        self._in_work = BUSY.labels(name)
        self._size = size
        self._busy: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._closed = False

    @property
    def free(self) -> int:
        return self._size - len(self._busy)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._busy.add(task)
        self._in_work.inc()
        task.add_done_callback(self._leave)
        return task

    async def some_free(self) -> int:
        """How many are free: at least one, unless closed. With most of them busy it waits a moment for more."""
        await self._until_free(1)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHERING_SECONDS):
                await self._until_free(self._size // 4)
        return self.free

    def close(self) -> None:
        """Nobody waits for a free place any more."""
        self._closed = True
        self._freed.set()

    async def finish(self) -> None:
        """Wait for all, and cancel those that take longer than the grace."""
        if self._busy:
            _, late = await asyncio.wait(self._busy, timeout=GRACE_SECONDS)
            await self._cancel(late)

    async def abandon(self) -> None:
        await self._cancel(set(self._busy))

    async def _cancel(self, tasks: set[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_LEAVING_SECONDS)

    async def _until_free(self, places: int) -> None:
        while self.free < places and not self._closed:
            self._freed.clear()
            await self._freed.wait()

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._in_work.dec()
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("work_broke_off", work=task.get_name(), exc_info=error)
