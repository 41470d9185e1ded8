"""One attempt at a task, as its handler sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from bivelio_server.durable.fences import Superseded, fenced
from bivelio_server.durable.places import Place
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.tracing import EndsEarly

#: Of a run whose worker is lost each time: memory or a crash, which trying again does not mend.
MAX_LOST: Final = 5
#: A time that never comes: such a run is due once it is woken.
_NEVER: Final = "infinity"
_GET_ON: Final = "select durable.get_on(%(run_id)s, %(claim)s)"


class TooNew(EndsEarly):
    """The work is written for a newer version: it is put back for a worker that knows it."""


@dataclass(eq=False, slots=True)
class Run:
    """An attempt at a task. A handler that returns has finished it; one that raises is tried again, without limit.

    It is claimed by `claim`, a token of this claim alone. Its last `lost` claims in a row ended without a word: their
    workers died, or were stopped for longer than the lease.
    """

    task_id: UUID
    run_id: UUID
    attempt: int
    params: Mapping[str, str]
    org_id: UUID
    environment: Environment
    services: Services
    claim: str
    place: Place
    lost: int = 0
    _outside: int = field(default=0, init=False)
    _gets_on: bool = field(default=False, init=False)
    _session: Transaction | None = field(default=None, init=False)
    _ending: str | None = field(default=None, init=False)
    _ended: bool = field(default=False, init=False)
    _sleeps: bool = field(default=False, init=False)
    _wakes_at: datetime | None = field(default=None, init=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction of the run's tenant that commits only while the run is ours. Raises Superseded.

        A run has one such transaction at a time. It must not be left idle for as long as a lease.
        """
        assert self._session is None, "a run has one transaction at a time"
        if self._ended:
            raise Superseded
        await self.place.take()
        try:
            async with fenced(self.services, self._opening()) as session:
                self._session, self._sleeps, self._wakes_at = session, False, None
                yield session
                if self._gets_on:
                    await session.run(_GET_ON, {"run_id": self.run_id, "claim": self.claim})
                if self._ending is not None:
                    await session.commit_with(self._ending)
            if self._gets_on:
                self.lost, self._gets_on = 0, False
            self._ended = self._ending is not None
        finally:
            self._session, self._ending = None, None
            if self._outside:
                self.place.leave()

    async def finish(self, session: Transaction) -> None:
        """End the task together with what `session` commits."""
        self._end_with(session, f"durable.finish({self._key})")

    async def sleep_until(self, session: Transaction, when: datetime | None) -> None:
        """Give the slot back and be called anew at `when`, or once woken, if `session` commits; None: once woken."""
        due = when.isoformat() if when else _NEVER
        self._end_with(session, f"durable.sleep_until({self._key}, durable.queue_time('{due}'))")
        self._sleeps, self._wakes_at = True, when

    def get_on(self) -> None:
        """What is committed next brings the run further: what was `lost` before counts no more from then on."""
        self._gets_on = self.lost > 0

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[None]:
        """Around a call to the outside, for which the one who makes it keeps no transaction open.

        Somebody else has the place meanwhile. Several parts of a run may be outside at once, and another may go on: its
        transactions wait for a place.
        """
        self._outside += 1
        if self._session is None:
            self.place.leave()
        try:
            yield
        except Exception:
            await self._return()
            raise
        except BaseException:
            self._outside -= 1
            raise  # who is broken off needs no place
        await self._return()

    async def _return(self) -> None:
        self._outside -= 1
        if not self._outside:
            await self.place.take()

    @property
    def kills_workers(self) -> bool:
        """Whether so many claims in a row ended without a word that it is to be given up."""
        return self.lost >= MAX_LOST

    @property
    def ended(self) -> bool:
        """Whether the handler has finished it or put it to sleep."""
        return self._ended

    @property
    def asleep(self) -> bool:
        """Whether the handler has put it to sleep."""
        return self._ended and self._sleeps

    @property
    def wakes_at(self) -> datetime | None:
        """When it is to be called anew, if it was put to sleep until a time."""
        return self._wakes_at if self._ended else None

    @property
    def is_ending(self) -> bool:
        """Whether its last transaction is being committed: the database may have ended it already."""
        return self._ended or self._ending is not None

    def _opening(self) -> str:
        return f"begin; select durable.enter({self._key}, {self.services.settings.lease_seconds})"

    def _end_with(self, session: Transaction, call: str) -> None:
        if session is not self._session:
            raise RuntimeError("a run ends in its own open transaction")
        self._ending = f"select {call}"

    @property
    def _key(self) -> str:
        """As SQL: an UUID and a token of ours, which cannot hold any."""
        return f"'{self.run_id}', '{self.claim}'"


TaskHandler: TypeAlias = Callable[[Run], Awaitable[None]]
