"""The life of whoever looks for due work: looking when woken or after a pause, and ending in good order."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import structlog

from bivelio_server.durable.back_off import back_off
from bivelio_server.durable.crew import Crew
from bivelio_server.durable.leases import Leases
from bivelio_server.kit.wakeups import Wakeups

TICK_SECONDS: Final = 1.0
#: Starts work on as many places as are free; returns after how many seconds to look again, if not woken before.
Look: TypeAlias = Callable[[int], Awaitable[float]]
_log = structlog.get_logger()


class Shift:
    """Looks for work for a crew until told to stop. Nothing that fails ends it."""

    def __init__(self, wakeups: Wakeups, topic: str, crew: Crew, leases: Leases[Any], look: Look) -> None:
        self._wakeups = wakeups
        self._topic = topic
        self._crew = crew
        self._leases = leases
        self._look = look
        self._woken = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Returns when `stop` is set and the crew has finished or was cancelled after its grace."""
        self._woken = self._wakeups.subscribe(self._topic)
        helpers = [
            asyncio.create_task(self._leases.keep(), name=f"{self._topic}-leases"),
            asyncio.create_task(self._close(stop), name=f"{self._topic}-stop"),
        ]
        try:
            await self._look_around(stop)
            await self._crew.finish()
        finally:
            await self._crew.abandon()
            for helper in helpers:
                helper.cancel()
            self._wakeups.unsubscribe(self._topic, self._woken)

    def look_again(self, seconds: float = 0) -> None:
        """Look for work after `seconds`: a time that the tick would meet too late."""
        if seconds < TICK_SECONDS:
            asyncio.get_running_loop().call_later(max(0, seconds), self._woken.set)

    async def _look_around(self, stop: asyncio.Event) -> None:
        failures = 0
        while True:
            free = await self._crew.some_free()
            self._woken.clear()
            if stop.is_set():
                return
            try:
                pause = await self._look(free)
                failures = 0
            except Exception as error:  # noqa: BLE001 - logged; a worker outlives whatever its database does
                failures += 1
                _log.warning("looking_for_work_failed", topic=self._topic, error=repr(error))
                await wait(stop, back_off(failures, first=0.1, longest=5))
                continue
            await wait(self._woken, pause)

    async def _close(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._crew.close()
        self._woken.set()


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until `event` or the time has come."""
    if seconds > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
