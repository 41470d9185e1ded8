"""Watching rows change: one look for everybody who watches in this process, and none while nobody does.

What changes a row need not tell anybody: a notification for each step of each run would cost all of them, watched or
not. A process that changes what is watched here may hint at it, which costs it a look into a dictionary.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias
from uuid import UUID

import structlog

from bivelio_server.kit.db import Database, passes_by_itself

#: How long a change made by another process may stay unseen.
LOOK_SECONDS: Final = 0.3
_PAUSE_AFTER_FAILURE_SECONDS: Final = 2.0
_log = structlog.get_logger()

#: Organisation, environment, id.
Key: TypeAlias = tuple[UUID, str, str]
#: Gives something of each row that is another one after each change; nothing of a row that is gone.
Look: TypeAlias = Callable[[Database, Sequence[Key]], Awaitable[Mapping[Key, object]]]


class Watches:
    """Who watches what in this process; `looks` say how the rows of each kind are looked at.

    Within `turn` a watcher looks at its row: `at_once` do so at the same time, the others wait in line. However many
    begin to watch at once, they leave the other connections to requests.
    """

    def __init__(self, database: Database, looks: Mapping[str, Look], *, at_once: int) -> None:
        self._rounds = {kind: _Rounds(database, look) for kind, look in looks.items()}
        self.turn: Final = asyncio.Semaphore(at_once)

    @contextmanager
    def watch(self, kind: str, key: Key) -> Iterator[asyncio.Event]:
        """An event that is set at first and whenever the row has changed; the watcher clears it, and then looks."""
        rounds, changed = self._rounds[kind], asyncio.Event()
        changed.set()
        rounds.add(key, changed)
        try:
            yield changed
        finally:
            rounds.remove(key, changed)

    def hint(self, kind: str, key: Key) -> None:
        """The row has just been changed by this process."""
        self._rounds[kind].wake(key)


class _Rounds:
    """The looks at the watched rows of one kind."""

    def __init__(self, database: Database, look: Look) -> None:
        self._database = database
        self._look = look
        self._watching: dict[Key, set[asyncio.Event]] = defaultdict(set)
        self._seen: dict[Key, object] = {}
        self._going: asyncio.Task[None] | None = None

    def add(self, key: Key, changed: asyncio.Event) -> None:
        self._seen.pop(key, None)  # it may have changed since: who watches from now on has not seen it as it was
        self._watching[key].add(changed)
        if self._going is None:
            self._going = asyncio.create_task(self._go(), name="watches")

    def remove(self, key: Key, changed: asyncio.Event) -> None:
        self._watching[key].discard(changed)
        if not self._watching[key]:
            del self._watching[key]
            self._seen.pop(key, None)

    def wake(self, key: Key) -> None:
        for changed in self._watching.get(key, ()):
            changed.set()

    async def _go(self) -> None:
        try:
            while self._watching:  # noqa: ASYNC110 - what other processes do sets no event here
                await asyncio.sleep(await self._go_round())
        finally:
            self._going = None

    async def _go_round(self) -> float:
        """How long to rest after it. While the database is away there is nothing to see."""
        keys = list(self._watching)
        try:
            found = await self._look(self._database, keys)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who watch are not left alone
            _log.warning("watches_interrupted", exc_info=None if passes_by_itself(error) else error)
            return _PAUSE_AFTER_FAILURE_SECONDS
        for key in keys:
            if key in self._watching and (key not in self._seen or self._seen[key] != found.get(key)):
                self._seen[key] = found.get(key)
                self.wake(key)
        return LOOK_SECONDS
