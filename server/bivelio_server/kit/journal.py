"""The journal of requests: noted in memory while they are answered, written in batches beside them.

Noting costs microseconds and cannot fail. A process that is killed loses what it noted in the last moment; one that
stops in good order writes it.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import count
from secrets import token_hex
from typing import Final
from uuid import UUID

import psycopg
import structlog
from prometheus_client import Counter

from bivelio_server.kit import json
from bivelio_server.kit.db import Database, passes_by_itself

#: How many wait at most while the database is away; beyond, the oldest are forgotten.
MOST_WAITING: Final = 20_000
_BATCH: Final = 500
_PAUSE_SECONDS: Final = 0.2
_PAUSE_AFTER_FAILURE_SECONDS: Final = 1.0
_WRITE: Final = "select write_journal(%s)"
_log = structlog.get_logger()

WRITTEN: Final = Counter("bivelio_journal_written_total", "Requests written to the request log.")
LOST: Final = Counter("bivelio_journal_lost_total", "Requests that the request log lost.", ["reason"])


@dataclass(slots=True)
class RequestRecord:
    """One answered request. `arrived_at` is in seconds of the epoch; texts hold neither NUL nor surrogates."""

    org_id: UUID
    request_id: str
    environment: str
    arrived_at: float
    operation: str
    path: str
    status: int
    error_code: str | None
    duration_ms: float
    actor: str
    key_id: str | None
    address: str | None
    door: str
    idempotency_key_hash: str | None
    replayed: bool
    api_version: str | None
    user_agent: str | None
    id: str = ""


class Journal:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[RequestRecord] = deque()
        self._something, self._much = asyncio.Event(), asyncio.Event()
        self._writing = asyncio.Lock()
        # Ids of this process's own, so that a batch that is written twice is in the log once.
        self._process, self._numbers = token_hex(8), count()

    def note(self, record: RequestRecord) -> None:
        record.id = f"{self._process}{next(self._numbers):016x}"
        self._waiting.append(record)
        self._something.set()
        waiting = len(self._waiting)
        if waiting >= _BATCH:
            self._much.set()
        if waiting > MOST_WAITING:
            self._waiting.popleft()
            LOST.labels("overflow").inc()

    async def flush(self) -> None:
        """Returns when everything noted so far is written. Raises what the database raises."""
        if not self._waiting and not self._writing.locked():
            return
        async with self._writing:
            for _ in range(-(-len(self._waiting) // _BATCH)):
                await self._write_some()

    async def run(self, stop: asyncio.Event) -> None:
        """Write what is noted about every 0.2 s, or as soon as it is much, until `stop`; then what is left."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._some_noted(stopping)
                if not await self._try_to_flush():
                    await asyncio.wait((stopping,), timeout=_PAUSE_AFTER_FAILURE_SECONDS)
            if not await self._try_to_flush():
                LOST.labels("stopped").inc(len(self._waiting))
        finally:
            stopping.cancel()

    async def _some_noted(self, stopping: "asyncio.Task[bool]") -> None:
        await _first(stopping, self._something, None)
        await _first(stopping, self._much, _PAUSE_SECONDS)

    async def _try_to_flush(self) -> bool:
        try:
            await self.flush()
        except Exception as error:  # noqa: BLE001 - logged; whatever the database does, requests are answered
            _log.warning("journal_not_written", waiting=len(self._waiting), error=repr(error))
            return False
        return True

    async def _write_some(self) -> None:
        """The oldest that wait. When the database is away they go on waiting, as far as there is room."""
        batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        if len(self._waiting) < _BATCH:
            self._much.clear()
        if not self._waiting:
            self._something.clear()
        try:
            await self._write(batch)
        except BaseException:
            self._take_back(batch)
            raise

    def _take_back(self, batch: list[RequestRecord]) -> None:
        room = max(0, MOST_WAITING - len(self._waiting))
        LOST.labels("overflow").inc(max(0, len(batch) - room))
        self._waiting.extendleft(reversed(batch[max(0, len(batch) - room) :]))
        self._something.set()

    async def _write(self, batch: list[RequestRecord]) -> None:
        """A record that cannot be written is left out, not its neighbours with it."""
        try:
            await self._database.call(_WRITE, (json.dumps(batch).decode(),))
        except psycopg.Error as error:
            if passes_by_itself(error):
                raise
            if len(batch) == 1:
                LOST.labels("unwritable").inc()
                _log.error("journal_unwritable", request_id=batch[0].request_id, exc_info=error)
                return
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])
            return
        WRITTEN.inc(len(batch))


async def _first(stopping: "asyncio.Task[bool]", event: asyncio.Event, seconds: float | None) -> None:
    """Until the event, or the stop, or the time has come."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait((stopping, waiting), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
