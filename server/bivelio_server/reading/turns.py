"""Places for readings, in turns between those who want some read: nobody's files wait for all of somebody else's."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

from bivelio_server.kit.errors import Unavailable

#: Places beside those that are anybody's, for holders who have none.
NEWCOMERS: Final = 1


class Turns:
    """`places` for anybody, and `NEWCOMERS` more. What is free goes to who has least, and of these to
    who has waited longest."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._inside: Counter[Hashable] = Counter()
        self._waiting: list[tuple[Hashable, asyncio.Future[None]]] = []

    def waiting(self, holder: Hashable) -> int:
        """How many of a holder's readings wait for a place."""
        return sum(each == holder for each, _ in self._waiting)

    @asynccontextmanager
    async def place(self, holder: Hashable, wait_seconds: float | None) -> AsyncIterator[None]:
        """Holds a place within the block. Raises Unavailable when none gets free in time."""
        try:
            async with asyncio.timeout(wait_seconds):
                await self._take(holder)
        except TimeoutError:
            raise Unavailable from None
        try:
            yield
        finally:
            self._leave(holder)

    async def _take(self, holder: Hashable) -> None:
        if self._may_enter(holder):
            self._inside[holder] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((holder, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(holder)
            else:
                self._waiting.remove((holder, turn))
            raise

    def _leave(self, holder: Hashable) -> None:
        self._inside[holder] -= 1
        if not self._inside[holder]:
            del self._inside[holder]
        self._pass_on()

    def _pass_on(self) -> None:
        while allowed := [each for each in self._waiting if self._may_enter(each[0])]:
            holder, turn = min(allowed, key=lambda each: self._inside[each[0]])
            self._waiting.remove((holder, turn))
            self._inside[holder] += 1
            turn.set_result(None)

    def _may_enter(self, holder: Hashable) -> bool:
        taken = self._inside.total()
        return taken < self._places or (taken < self._places + NEWCOMERS and holder not in self._inside)
