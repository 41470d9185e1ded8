"""Room for requests with large bodies: each takes several times its size in memory while it is read and worked on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bivelio_server.kit.errors import Unavailable

PLACES: Final = 2
WAIT_SECONDS: Final = 10.0
#: A body that takes longer to arrive is given up: the others wait for its place.
ARRIVAL_SECONDS: Final = 120.0


class Room:
    """The places that the requests of one process share."""

    def __init__(self, places: int = PLACES, wait_seconds: float = WAIT_SECONDS) -> None:
        self._places = asyncio.Semaphore(places)
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Holds a place within the block. Raises Unavailable when none gets free in time."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable from None
        try:
            yield
        finally:
            self._places.release()
