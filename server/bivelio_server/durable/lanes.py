"""Lanes: work with due rows of its own, done by one worker at a time for each key."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from uuid import UUID, uuid4

import psycopg
import structlog

from bivelio_server.durable.back_off import back_off
from bivelio_server.durable.crew import Crew
from bivelio_server.durable.fences import Superseded, fenced, render
from bivelio_server.durable.leases import Leases
from bivelio_server.durable.shift import TICK_SECONDS, Shift, wait
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.sandbox_time import in_time_of

_LONGEST_BACK_OFF: Final = 60.0
#: Lanes are left one by one under load; one look serves all that were left meanwhile.
_SPACING_SECONDS: Final = 0.01
_log = structlog.get_logger()
_Key: TypeAlias = tuple[UUID, str, str]


@dataclass(eq=False, frozen=True, slots=True)
class LaneRun:
    """The exclusive right to the due work of one key. `claim` is a token of this taking alone."""

    kind: str
    org_id: UUID
    environment: Environment
    key: str
    services: Services
    claim: str

    async def still_ours(self) -> bool:
        """Whether nobody has taken the lane over. Asks the database, and extends the lease."""
        return not await _lost(self.services, self.kind, [self])

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction of the lane's tenant that commits only while the lane is ours. Raises Superseded."""
        opening = render(
            "begin; select durable.enter_lane({kind}, {org}, {environment}, {key}, {claim}, {lease})",
            kind=self.kind,
            org=self.org_id,
            environment=self.environment.value,
            key=self.key,
            claim=self.claim,
            lease=self.services.settings.lease_seconds,
        )
        async with fenced(self.services, opening) as session:
            yield session


@dataclass(frozen=True, slots=True)
class Lane:
    """One kind of lane.

    `due` is a statement with one placeholder, the present time, that gives (org_id, environment, key) of what is due:
    a definer function's, since there is no tenant yet. What is due in a sandbox is so by its own clock, which is ahead
    by `sandbox_ahead(org_id, environment)`. `drain` does the due work of one key and returns when none is
    left; what is still due then is looked at again at once. If it raises, the key rests for a while.
    """

    kind: str
    topic: str
    due: str
    drain: Callable[[LaneRun], Awaitable[None]]
    at_once: int = 200


class LaneWatch:
    """Takes the free lanes of one kind that have due work, and drains them."""

    def __init__(self, services: Services, lane: Lane) -> None:
        self._services = services
        self._lane = lane
        self._worker = uuid4().hex
        self._claims = itertools.count(1)
        self._crew = Crew(lane.kind, lane.at_once)
        self._leases: Leases[LaneRun] = Leases(services.settings.lease_seconds, self._extend)
        self._ours: set[_Key] = set()
        self._failures: dict[_Key, int] = {}
        self._stop = asyncio.Event()
        self._shift = Shift(services.wakeups, lane.topic, self._crew, self._leases, self._take)

    async def run(self, stop: asyncio.Event) -> None:
        self._stop = stop
        await self._shift.run(stop)

    async def _take(self, free: int) -> float:
        """Lanes that another worker holds are left to it: it looks again when it leaves them."""
        database = self._services.database
        due: list[_Key] = [
            (org_id, environment, key)
            for org_id, environment, key in await database.call_all(self._lane.due, (self._services.clock.now(),))
        ]
        wanted = [key for key in due if key not in self._ours]
        taken = await self._take_free(wanted, free) if wanted else 0
        await wait(self._stop, _SPACING_SECONDS)
        return 0.0 if taken == free else TICK_SECONDS

    async def _take_free(self, wanted: Sequence[_Key], free: int) -> int:
        claim = f"{self._worker}.{next(self._claims)}"
        places = await self._services.database.call_all(
            "select durable.take_lanes(%s, %s, %s, %s, %s, %s, %s)",
            (self._lane.kind, *_columns(wanted), claim, self._services.settings.lease_seconds, free),
        )
        for (place,) in places:
            self._start(wanted[place - 1], claim)
        return len(places)

    def _start(self, key: _Key, claim: str) -> None:
        org_id, environment, name = key
        run = LaneRun(self._lane.kind, org_id, Environment(environment), name, self._services, claim)
        self._ours.add(key)
        task = self._crew.start(self._serve(run, key), name=f"{self._lane.kind} {name}")
        self._leases.hold(run, task)

    async def _serve(self, run: LaneRun, key: _Key) -> None:
        try:
            await self._drain(run, key)
        except asyncio.CancelledError:
            _log.info("lane_broken_off", kind=run.kind, key=run.key)
        finally:
            if self._leases.drop(run):
                await self._leave(run)
            self._ours.discard(key)
            self._shift.look_again()

    async def _drain(self, run: LaneRun, key: _Key) -> None:
        try:
            services = await in_time_of(run.services, run.org_id, run.environment)
            await self._lane.drain(replace(run, services=services))
            self._failures.pop(key, None)
        except Superseded:
            return
        except Exception as error:  # noqa: BLE001 - whatever a drain raises is tried again
            self._failures[key] = failures = self._failures.get(key, 0) + 1
            delay = back_off(failures, longest=_LONGEST_BACK_OFF)
            _log.warning("drain_failed", kind=run.kind, key=run.key, again_in=delay, exc_info=error)
            await wait(self._stop, delay)

    async def _leave(self, run: LaneRun) -> None:
        try:
            await self._services.database.call(
                "select durable.leave_lane(%s, %s, %s, %s, %s)",
                (run.kind, run.org_id, run.environment.value, run.key, run.claim),
            )
        except psycopg.Error as error:
            _log.warning("lane_not_left", kind=run.kind, key=run.key, error=str(error).strip())

    async def _extend(self, runs: Sequence[LaneRun]) -> Iterable[LaneRun]:
        return await _lost(self._services, self._lane.kind, runs)


async def _lost(services: Services, kind: str, runs: Sequence[LaneRun]) -> list[LaneRun]:
    columns = _columns([(run.org_id, run.environment.value, run.key) for run in runs])
    claims = [run.claim for run in runs]
    places = await services.database.call_all(
        "select durable.keep_lanes(%s, %s, %s, %s, %s, %s)",
        (kind, *columns, claims, services.settings.lease_seconds),
    )
    return [runs[place - 1] for (place,) in places]


def _columns(keys: Sequence[_Key]) -> tuple[list[UUID], list[str], list[str]]:
    return [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]
