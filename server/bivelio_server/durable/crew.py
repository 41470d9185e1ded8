"""The tasks that a worker runs at once: how many are free, and how they end."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import structlog
from prometheus_client import Gauge

from bivelio_server.durable.places import Place, Places, Room

GRACE_SECONDS: Final = 10.0
#: A database that is away must not keep the process: what is not handed back by then goes on when its lease ends.
_LEAVING_SECONDS: Final = 3.0
#: One claim for several places costs hardly more than one for one.
_GATHERING_SECONDS: Final = 0.01
#: With only the kept places free: how often it is looked for somebody who has nothing here.
_NEWCOMERS_SECONDS: Final = 0.05
_log = structlog.get_logger()


PLACES: Final = Gauge("bivelio_worker_places", "Places for work at once in this process, by crew.", ["crew"])
BUSY: Final = Gauge("bivelio_worker_places_busy", "Places where work is under way, by crew.", ["crew"])
OUTSIDE: Final = Gauge(
    "bivelio_worker_outside", "Work that waits for the outside and has left its place, by crew.", ["crew"]
)


class Crew:
    """`size` tasks at once, whoever they are for, and `kept` more for those who have none here.

    Beside them, `outside` may wait for the outside. `freed` is called whenever a place is free again.
    """

    def __init__(
        self, name: str, size: int, *, kept: int = 0, outside: int = 0, freed: Callable[[], None] | None = None
    ) -> None:
        self._size = size
        self._busy: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._tell = freed
        self._closed = False
        inside, room = Room(size + kept, kept), Room(outside, outside // 4)
        self.places = Places(inside, room, self._on_freed)
        PLACES.labels(name).set(inside.size)
        BUSY.labels(name).set_function(lambda: inside.taken)
        OUTSIDE.labels(name).set_function(lambda: room.taken)

    def start(self, work: Coroutine[Any, Any, None], name: str, place: Place | None = None) -> asyncio.Task[None]:
        """`place` is one of `places`; by default, nobody's in particular."""
        task = asyncio.create_task(work, name=name)
        self._busy.add(task)
        place = place or self.places.occupy()
        task.add_done_callback(lambda task: self._leave(task, place))
        return task

    async def some_free(self) -> int:
        """How many are free: at least one, unless closed. With most of them busy it waits a moment for more."""
        inside = self.places.inside
        await self._until(lambda: inside.free > 0)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHERING_SECONDS):
                await self._until(lambda: inside.open >= self._size // 4)
        with suppress(TimeoutError):
            async with asyncio.timeout(_NEWCOMERS_SECONDS):
                await self._until(lambda: inside.open > 0)
        return inside.free

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

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition() and not self._closed:
            self._freed.clear()
            await self._freed.wait()

    def _on_freed(self) -> None:
        self._freed.set()
        if self._tell is not None:
            self._tell()

    def _leave(self, task: asyncio.Task[None], place: Place) -> None:
        self._busy.discard(task)
        place.give_up()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("work_broke_off", work=task.get_name(), exc_info=error)
