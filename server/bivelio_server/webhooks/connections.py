"""The share of the process's outgoing connections that deliveries may hold."""

import asyncio
from typing import Final

#: Less than the outgoing door has, so that other calls always find one.
_ALL: Final = 192
#: Endpoints that fail or hang may hold this many together; the rest is for those that answer well.
_DOUBTED: Final = 128


class Connections:
    def __init__(self, most: int = _ALL, most_doubted: int = _DOUBTED) -> None:
        self._most = most
        self._most_doubted = most_doubted
        self._held = 0
        self._held_doubted = 0
        self._given_back = asyncio.Event()

    def take(self, wanted: int, *, trusted: bool) -> int:
        """How many of those `wanted` are held from now on, perhaps none."""
        taken = max(0, min(wanted, self._free(trusted)))
        self.hold(taken, trusted=trusted)
        return taken

    def hold(self, places: int, *, trusted: bool) -> None:
        self._held += places
        if not trusted:
            self._held_doubted += places

    def give_back(self, places: int, *, trusted: bool) -> None:
        self.hold(-places, trusted=trusted)
        self._given_back.set()

    async def some_free(self, *, trusted: bool) -> None:
        """Until there are some; others may be quicker to take them."""
        while self._free(trusted) <= 0:
            self._given_back.clear()
            await self._given_back.wait()

    def _free(self, trusted: bool) -> int:
        free = self._most - self._held
        return free if trusted else min(free, self._most_doubted - self._held_doubted)
