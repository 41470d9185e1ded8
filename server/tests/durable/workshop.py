"""Where the durable tests ask for work, have it done, and look at what came of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import text

from bivelio_server.durable import Lane, LaneRun, Run, TaskHandler, Worker, spawn
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin

LEASE_SECONDS = 2
ORIGIN = Origin(Door.workflow)
STEPS = 5


def new_caller(environment: Environment = Environment.live) -> Caller:
    return Caller(uuid4(), environment, "user:test", uuid4(), frozenset({"admin"}))


@dataclass
class Workshop:
    services: Services
    owner: psycopg.Connection
    caller: Caller = field(default_factory=new_caller)

    async def ask(self, task: str, *, caller: Caller | None = None, **options: Any) -> UUID:
        """Spawn `task` in a transaction of its own."""
        async with transaction(caller or self.caller, self.services, ORIGIN) as context:
            return await spawn(context, task, options.pop("params", {}), **options)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        wakeups = asyncio.create_task(self.services.wakeups.run())
        yield
        wakeups.cancel()
        await asyncio.wait([wakeups])

    @asynccontextmanager
    async def worker(
        self, handlers: Mapping[str, TaskHandler] | None = None, lanes: Sequence[Lane] = ()
    ) -> AsyncIterator[asyncio.Event]:
        """A worker in this process; the event stops it."""
        stop = asyncio.Event()
        working = asyncio.create_task(Worker(self.services, handlers or {}, lanes).run(stop))
        yield stop
        stop.set()
        await asyncio.wait_for(working, 15)

    def rows(self, query: str, *parameters: object) -> list[Any]:
        return self.owner.execute(query, parameters).fetchall()

    def state(self, task: UUID) -> str:
        return self.rows("select state from absurd.t_work where task_id = %s", task)[0][0]

    def effects(self) -> list[tuple[str, int]]:
        return self.rows("select task, step from bench.effects order by task, step")

    def runs(self, task: UUID) -> list[tuple[int, str]]:
        return self.rows("select attempt, state from absurd.r_work where task_id = %s order by attempt", task)


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for what other tasks and processes bring about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)


async def five_steps(run: Run) -> None:
    """Five effects, each in a transaction of its own, none of them done again by a later attempt."""
    for step in range(STEPS):
        async with run.transaction() as session:
            done = text("select 1 from bench.effects where task = :task and step = :step")
            if (await session.execute(done, {"task": str(run.task_id), "step": step})).first() is None:
                await record(session, str(run.task_id), step, run.claim)
            if step == STEPS - 1:
                await run.finish(session)
        await asyncio.sleep(0.005)


async def record(session: Any, task: str, step: int, worker: str = "") -> None:
    await session.execute(
        text("insert into bench.effects (task, step, worker) values (:task, :step, :worker)"),
        {"task": task, "step": step, "worker": worker},
    )


async def deliver_parcels(lane: LaneRun) -> None:
    """Take parcels one by one, oldest first, each with a pause in which another worker would be seen."""
    while True:
        async with lane.transaction() as session:
            first = text("select place from bench.parcels where key = :key order by place limit 1")
            place = (await session.execute(first, {"key": lane.key})).scalar_one_or_none()
        if place is None:
            return
        await asyncio.sleep(0.01)
        async with lane.transaction() as session:
            gone = text("delete from bench.parcels where key = :key and place = :place")
            await session.execute(gone, {"key": lane.key, "place": place})
            await record(session, lane.key, place, lane.claim)


PARCELS = Lane("parcels", "parcels", "select org_id, environment, key from bench.due(%s)", deliver_parcels)
