"""However much one organisation has waiting, another's work begins at once, and everybody's ends."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from bivelio_server.durable import Run
from bivelio_server.kit.caller import Caller
from tests.durable.workshop import Workshop, new_caller, until

pytestmark = pytest.mark.anyio

BACKLOG = 10_000
WITHIN_SECONDS = 1.0
SLOTS = 8


@dataclass
class Office:
    """Runs by organisation: when the first of each began, how many are under way and how many were done."""

    began: dict[UUID, float] = field(default_factory=dict)
    at_once: Counter[UUID] = field(default_factory=Counter)
    done: Counter[UUID] = field(default_factory=Counter)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def quick(self, run: Run) -> None:
        with self._counted(run):
            async with run.transaction() as session:
                await run.finish(session)

    async def slow_inside(self, run: Run) -> None:
        with self._counted(run):
            await self.closing.wait()

    async def slow_outside(self, run: Run) -> None:
        with self._counted(run):
            async with run.outside():
                await self.closing.wait()

    def _counted(self, run: Run) -> "_Counted":
        self.began.setdefault(run.org_id, time.monotonic())
        return _Counted(self, run.org_id)


@dataclass
class _Counted:
    office: Office
    org_id: UUID

    def __enter__(self) -> None:
        self.office.at_once[self.org_id] += 1

    def __exit__(self, *_: object) -> None:
        self.office.at_once[self.org_id] -= 1
        self.office.done[self.org_id] += 1


@pytest.fixture
def office() -> Office:
    return Office()


def queue(workshop: Workshop, caller: Caller, task: str, runs: int, due: str = "null") -> None:
    """One is asked for as usual; the others are its copies, which takes a tenth of the time."""
    workshop.rows(
        "select set_config('app.org_id', %s, false), set_config('app.environment', 'live', false)", str(caller.org_id)
    )
    [(first,)] = workshop.rows(f"select durable.spawn(%s, '{{}}', null, {due})", task)
    workshop.owner.execute(
        """
        with copies as materialized (
            select gen_random_uuid() as task_id, gen_random_uuid() as run_id from generate_series(2, %(runs)s)
        ), tasks as (
            insert into absurd.t_work (task_id, task_name, params, headers, enqueue_at, state, attempts,
                last_attempt_run)
            select c.task_id, t.task_name, t.params, t.headers, t.enqueue_at, t.state, t.attempts, c.run_id
              from copies c, absurd.t_work t where t.task_id = %(first)s
        )
        insert into absurd.r_work (run_id, task_id, attempt, state, available_at, org_id)
        select c.run_id, c.task_id, r.attempt, r.state, r.available_at, r.org_id
          from copies c, absurd.r_work r where r.task_id = %(first)s
        """,
        {"runs": runs, "first": first},
    )


@asynccontextmanager
async def open_office(workshop: Workshop, office: Office) -> AsyncIterator[None]:
    handlers = {"quick": office.quick, "inside": office.slow_inside, "outside": office.slow_outside}
    async with workshop.worker(handlers) as stop:
        try:
            yield
        finally:
            stop.set()
            office.closing.set()


async def waited(office: Office, workshop: Workshop, task: str, caller: Caller) -> float:
    """Seconds from asking for a task to its first moment."""
    asked = time.monotonic()
    await workshop.ask(task, caller=caller)
    await until(lambda: caller.org_id in office.began)
    return office.began[caller.org_id] - asked


@pytest.mark.parametrize(
    ("task", "under_way"), [("quick", lambda office, org: office.done[org] > 100),
                            ("inside", lambda office, org: office.at_once[org] == SLOTS),
                            ("outside", lambda office, org: office.at_once[org] > 5 * SLOTS)]
)  # fmt: skip
async def test_a_backlog_delays_nobody_else(
    workshop: Workshop, office: Office, task: str, under_way: Callable[[Office, UUID], bool]
) -> None:
    greedy, modest = new_caller(), new_caller()
    queue(workshop, greedy, task, BACKLOG)
    async with open_office(workshop, office):
        await until(lambda: under_way(office, greedy.org_id))
        delays = [await waited(office, workshop, task, caller) for caller in (modest, new_caller())]

    assert max(delays) < WITHIN_SECONDS


async def test_sleepers_that_wake_all_at_once_delay_nobody_else(workshop: Workshop, office: Office) -> None:
    greedy, modest = new_caller(), new_caller()
    queue(workshop, greedy, "quick", BACKLOG, due="now() + interval '1 day'")
    async with open_office(workshop, office):
        workshop.services.clock.advance(days=1)
        await until(lambda: office.done[greedy.org_id] > 100)
        assert await waited(office, workshop, "quick", modest) < WITHIN_SECONDS


async def test_a_sleeper_among_thousands_is_not_the_last_to_wake(workshop: Workshop, office: Office) -> None:
    greedy, modest = new_caller(), new_caller()
    queue(workshop, greedy, "inside", BACKLOG, due="now() + interval '1 day'")
    queue(workshop, modest, "inside", 1, due="now() + interval '1 day 1 second'")
    async with open_office(workshop, office):
        workshop.services.clock.advance(days=1, seconds=1)
        await until(lambda: greedy.org_id in office.began)
        await until(lambda: modest.org_id in office.began)

    assert office.began[modest.org_id] - office.began[greedy.org_id] < 2 * WITHIN_SECONDS


async def test_several_greedy_organisations_delay_nobody_else(workshop: Workshop, office: Office) -> None:
    greedy = [new_caller() for _ in range(4)]
    for caller in greedy:
        queue(workshop, caller, "outside", 500)
    async with open_office(workshop, office):
        await until(lambda: sum(office.at_once.values()) > 5 * SLOTS)
        delays = [await waited(office, workshop, "outside", new_caller()) for _ in range(4)]

    assert max(delays) < WITHIN_SECONDS


async def test_work_under_way_is_shared_evenly(workshop: Workshop, office: Office) -> None:
    callers = [new_caller() for _ in range(3)]
    for caller in callers:
        queue(workshop, caller, "quick", 200)
    async with open_office(workshop, office):
        await until(lambda: sum(office.done.values()) >= 300)
        done = [office.done[caller.org_id] for caller in callers]
        await until(lambda: sum(office.done.values()) == 600)

    assert max(done) - min(done) < 60, done
    assert workshop.rows("select distinct state from absurd.t_work") == [("completed",)]


async def test_a_backlog_of_one_is_worked_off_when_it_is_alone(workshop: Workshop, office: Office) -> None:
    alone = new_caller()
    queue(workshop, alone, "quick", 500)
    async with open_office(workshop, office):
        await until(lambda: office.done[alone.org_id] == 500)

    assert workshop.rows("select distinct state from absurd.t_work") == [("completed",)]
