"""Claiming due runs for the free slots of this process, and seeing each to its end."""

import asyncio
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import structlog
from prometheus_client import Counter, Histogram
from psycopg.types.json import Jsonb

from bivelio_server.durable.back_off import back_off
from bivelio_server.durable.crew import Crew
from bivelio_server.durable.fences import Superseded, is_superseded
from bivelio_server.durable.leases import Leases
from bivelio_server.durable.runs import Run, TaskHandler, TooNew
from bivelio_server.durable.shift import TICK_SECONDS, Shift
from bivelio_server.durable.tasks import TOPIC, TRACEPARENT
from bivelio_server.kit import tracing
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.sandbox_time import in_time_of

#: What this version does not know is left to the workers of a newer one.
UNKNOWN_TASK_SECONDS: Final = 10.0
#: Due runs that another transaction holds at the moment are looked for again after this.
_LOCKED_SECONDS: Final = 0.02
#: Runs that may wait for the outside, for each slot.
_OUTSIDE_PER_SLOT: Final = 8
_log = structlog.get_logger()

ATTEMPTS: Final = Counter(
    "bivelio_task_attempts_total",
    "Attempts at durable runs by task and outcome: `finished`, `asleep`, `failed`, `superseded`, `interrupted`,"
    " `unknown` (left to a newer version).",
    ["task", "outcome"],
)
SECONDS: Final = Histogram(
    "bivelio_task_attempt_seconds",
    "Duration of attempts at durable runs by task.",
    ["task"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)


class Dispatcher:
    """One a process: claims for all of its slots."""

    def __init__(self, services: Services, handlers: Mapping[str, TaskHandler]) -> None:
        self._services = services
        self._handlers = handlers
        self._worker = uuid4().hex
        self._claims = itertools.count(1)
        self._lease = services.settings.lease_seconds
        settings = services.settings
        self._crew = Crew(
            TOPIC,
            settings.worker_slots,
            kept=settings.worker_places - settings.worker_slots,
            outside=settings.worker_slots * _OUTSIDE_PER_SLOT,
            freed=self._look_if_some_wait,
        )
        self._backlog = False
        self._after = uuid4()
        self._leases: Leases[Run] = Leases(self._lease, self._extend)
        self._shift = Shift(services.wakeups, TOPIC, self._crew, self._leases, self._claim)

    async def run(self, stop: asyncio.Event) -> None:
        await self._shift.run(stop)

    async def _claim(self, free: int) -> float:
        claim = f"{self._worker}.{next(self._claims)}"
        held = self._crew.places.held()
        kept = free - self._crew.places.inside.open
        rows = await self._services.database.call_all(
            "select * from durable.claim(%s, %s, %s, %s, %s, %s, %s, %s)",
            (claim, self._lease, free, self._services.clock.now(), list(held), list(held.values()), kept, self._after),
        )
        self._after = _last_of({row[5] for row in rows if row[0]} - held.keys(), self._after)
        pause, self._backlog = 0.0, False
        for *run, next_in, backlog in rows:
            if run[0] is None:
                pause, self._backlog = _pause(next_in), backlog
            else:
                self._start(run, claim)
        return pause

    def _start(self, row: Sequence[Any], claim: str) -> None:
        run_id, task_id, attempt, name, params, org_id, environment, lost = row
        place = self._crew.places.occupy(org_id)
        run = Run(
            task_id, run_id, attempt, params, org_id, Environment(environment), self._services, claim, place, lost
        )
        task = self._crew.start(self._work(run, name), f"{name} {run_id}", place)
        self._leases.hold(run, task)

    def _look_if_some_wait(self) -> None:
        """Due runs were left to be claimed when one of their organisation ends."""
        if self._backlog:
            self._shift.look_again()

    async def _work(self, run: Run, name: str) -> None:
        outcome = "interrupted"
        try:
            with (
                SECONDS.labels(name).time(),
                tracing.span(name, "consumer", parent=run.params.get(TRACEPARENT), attributes=_ids(run)) as span,
            ):
                outcome = await self._attempt(run, name, span)
        except asyncio.CancelledError:
            if self._leases.drop(run):
                await self._settle(run, "select durable.put_back(%s, %s, 0)")
            else:
                _log.warning("run_lost", task=name, run=str(run.run_id))
        finally:
            ATTEMPTS.labels(name, outcome).inc()
            self._leases.drop(run)
            if run.wakes_at is not None:
                self._shift.look_again((run.wakes_at - run.services.clock.now()).total_seconds())

    async def _attempt(self, run: Run, name: str, span: tracing.Span) -> str:
        """The outcome, as ATTEMPTS counts it."""
        handler = self._handlers.get(name)
        if handler is None:
            return await self._leave_to_others(run, name)
        try:
            run.services = await in_time_of(run.services, run.org_id, run.environment)
            await handler(run)
        except Superseded:
            return "superseded"
        except TooNew:
            return await self._leave_to_others(run, name)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is tried again
            span.fail(type(error).__name__)
            await self._retry(run, name, error)
            return "failed"
        if not run.ended:
            await self._settle(run, "select durable.finish(%s, %s)")
        return "asleep" if run.asleep else "finished"

    async def _leave_to_others(self, run: Run, name: str) -> str:
        _log.warning("task_unknown", task=name, run=str(run.run_id))
        await self._settle(run, "select durable.put_back(%s, %s, %s)", UNKNOWN_TASK_SECONDS)
        return "unknown"

    async def _retry(self, run: Run, name: str, error: Exception) -> None:
        delay = back_off(run.attempt)
        _log.warning("task_failed", task=name, run=str(run.run_id), attempt=run.attempt, again_in=delay, exc_info=error)
        reason = Jsonb({"name": type(error).__name__})
        await self._settle(run, "select durable.retry(%s, %s, %s, %s)", reason, delay)
        self._shift.look_again(delay)

    async def _settle(self, run: Run, sql: str, *values: object) -> None:
        """Record how the run ends, however long the database is away, unless the run is somebody else's by then."""
        for failures in itertools.count(1):
            try:
                await self._services.database.call(sql, (run.run_id, run.claim, *values))
            except psycopg.OperationalError as error:
                _log.warning("run_not_settled", run=str(run.run_id), error=str(error).strip())
                await asyncio.sleep(back_off(failures, first=0.2, longest=5))
            except psycopg.Error as error:
                if not is_superseded(error):
                    raise
                return
            else:
                return

    async def _extend(self, runs: Sequence[Run]) -> Iterable[Run]:
        rows = await self._services.database.call_all(
            "select durable.extend(%s, %s, %s)",
            ([run.run_id for run in runs], [run.claim for run in runs], self._lease),
        )
        lost: set[UUID] = {row[0] for row in rows}
        return [run for run in runs if run.run_id in lost and not run.is_ending]


def _last_of(newcomers: Collection[UUID], after: UUID) -> UUID:
    """Where the search for newcomers came to: it goes by the order of the ids, from `after` on and round."""
    return max(newcomers, key=lambda org: (org <= after, org), default=after)


def _ids(run: Run) -> dict[str, tracing.Value]:
    return {
        "bivelio.task_id": str(run.task_id),
        "bivelio.attempt": run.attempt,
        "bivelio.organization_id": str(run.org_id),
        "bivelio.environment": run.environment.value,
    }


def _pause(next_in: float | None) -> float:
    return TICK_SECONDS if next_in is None else min(TICK_SECONDS, max(_LOCKED_SECONDS, next_in))
