"""The sign of life for all that a process holds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import psycopg
import structlog

HeldT = TypeVar("HeldT")
_log = structlog.get_logger()


@dataclass(slots=True)
class _Holding:
    task: asyncio.Task[None]
    until: float


class Leases(Generic[HeldT]):
    """Extends the lease of everything held, all in one call, and cancels the task of whatever was lost.

    `extend` returns what is lost. While the database cannot be asked, a lease counts as lost once it has run out.
    """

    def __init__(self, seconds: float, extend: Callable[[Sequence[HeldT]], Awaitable[Iterable[HeldT]]]) -> None:
        self._seconds = seconds
        self._extend = extend
        self._held: dict[HeldT, _Holding] = {}
        self._lost: set[HeldT] = set()

    def hold(self, held: HeldT, task: asyncio.Task[None]) -> None:
        self._held[held] = _Holding(task, time.monotonic() + self._seconds)

    def drop(self, held: HeldT) -> bool:
        """Whether it was ours to the end."""
        self._held.pop(held, None)
        was_lost = held in self._lost
        self._lost.discard(held)
        return not was_lost

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            if self._held:
                await self._beat(time.monotonic())

    async def _beat(self, now: float) -> None:
        held = tuple(self._held)
        try:
            async with asyncio.timeout(self._seconds / 3):
                lost = set(await self._extend(held))
        except (psycopg.Error, OSError) as error:
            _log.warning("leases_not_extended", held=len(held), error=str(error).strip())
            self._lose(key for key in held if key in self._held and self._held[key].until <= time.monotonic())
            return
        self._lose(lost)
        for key in held:
            if key in self._held:
                self._held[key].until = now + self._seconds

    def _lose(self, keys: Iterable[HeldT]) -> None:
        for key in list(keys):
            holding = self._held.pop(key, None)
            if holding is not None and not holding.task.done():
                self._lost.add(key)
                holding.task.cancel()
