"""Whose turn it is in this process: nobody's five hundred files stand before another's first."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

#: As many of an organisation wait for a turn in a process, so that none is lost between two; further ones look again
#: after a tenth of their age, within these bounds: another process may have a turn for them sooner, many that wait must
#: cost little, and leave places to other work of the organisation.
MOST_WAITING: Final = 1
_SHORTEST_NAP: Final = timedelta(seconds=0.5)
_LONGEST_NAP: Final = timedelta(seconds=60)


class Turns:
    """So many at once of each organisation, the others of it after these in their order."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._semaphores: dict[UUID, asyncio.Semaphore] = {}
        self._users: Counter[UUID] = Counter()

    def waiting(self, org_id: UUID) -> int:
        """How many of the organisation wait for their turn."""
        return max(0, self._users[org_id] - self._at_once)

    @asynccontextmanager
    async def turn(self, org_id: UUID) -> AsyncIterator[None]:
        semaphore = self._semaphores.setdefault(org_id, asyncio.Semaphore(self._at_once))
        self._users[org_id] += 1
        try:
            async with semaphore:
                yield
        finally:
            self._users[org_id] -= 1
            if not self._users[org_id]:
                del self._users[org_id], self._semaphores[org_id]


def nap(age: timedelta) -> timedelta:
    return min(_LONGEST_NAP, max(_SHORTEST_NAP, age / 10))


#: Two, so that one is read while the other is embedded; more would only make each wait longer.
FILES: Final = Turns(2)
#: The models of the server compute batches of whoever asks in turn: each organisation asks for one at a time.
BATCHES: Final = Turns(1)
