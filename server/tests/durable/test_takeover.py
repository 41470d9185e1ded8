"""Effects happen once, whatever happens to the workers."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import text

from bivelio_server.durable import Run, Superseded
from tests.durable.conftest import StartWorker
from tests.durable.workshop import LEASE_SECONDS, STEPS, Workshop, five_steps, record, until

pytestmark = pytest.mark.anyio


async def test_killed_workers_lose_and_double_nothing(workshop: Workshop, start_worker: StartWorker) -> None:
    runs, kills = 60, 3
    start_worker()
    start_worker()
    for _ in range(runs):
        await workshop.ask("five")
    for kill in range(1, kills + 1):
        await until(lambda part=kill: len(workshop.effects()) >= part * 60)
        start_worker.processes[kill - 1].kill()
        start_worker()
    await until(lambda: workshop.rows("select count(*) from absurd.t_work where state = 'completed'") == [(runs,)], 30)

    counted = Counter(workshop.effects())
    assert set(counted.values()) == {1}
    assert len(counted) == runs * STEPS
    assert workshop.rows("select count(*) > 0 from absurd.r_work where attempt > 1") == [(True,)]


async def test_several_workers_share_the_load(workshop: Workshop, start_worker: StartWorker) -> None:
    runs = [await workshop.ask("five")]
    for _ in range(3):
        start_worker()

    def done_by() -> Counter[str]:
        rows = workshop.rows("select split_part(worker, '.', 1), count(*) from bench.effects group by 1")
        return Counter(dict(rows))

    while len(done_by()) < 3:
        if (
            len(runs) * STEPS - len(workshop.effects()) < 20 * STEPS
        ):  # no more than they get done while one still starts
            runs += [await workshop.ask("five") for _ in range(10)]
        await asyncio.sleep(0.01)
    before = done_by()
    runs += [await workshop.ask("five") for _ in range(60)]
    await until(lambda: len(workshop.effects()) == len(runs) * STEPS, 30)

    assert set(Counter(workshop.effects()).values()) == {1}
    assert all(share > 0 for share in (done_by() - before).values())
    assert len(done_by() - before) == 3


async def test_a_stopped_worker_that_wakes_up_late_changes_nothing(
    workshop: Workshop, start_worker: StartWorker
) -> None:
    asleep = start_worker()
    task = await workshop.ask("five")
    await until(lambda: len(workshop.effects()) >= 1)
    asleep.send_signal(signal.SIGSTOP)
    assert len(workshop.effects()) < STEPS
    async with workshop.worker({"five": five_steps}):
        await until(lambda: workshop.state(task) == "completed")
        before = workshop.effects()
        asleep.send_signal(signal.SIGCONT)
        another = await workshop.ask("five")
        await until(lambda: workshop.state(another) == "completed")

    assert before == [(str(task), step) for step in range(STEPS)]
    assert [effect for effect in workshop.effects() if effect[0] == str(task)] == before
    assert workshop.runs(task) == [(1, "failed"), (2, "completed")]


async def test_a_stale_worker_is_refused_while_its_successor_is_not_yet_committed(workshop: Workshop) -> None:
    """The race that Absurd's unlocked checkpoint loses: the fence waits for the takeover, then refuses."""
    claimed, overdue, refused = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(run: Run) -> None:
        claimed.set()
        await overdue.wait()
        try:
            async with run.transaction() as session:
                await record(session, str(run.task_id), run.attempt)
        except Superseded:
            refused.set()
            raise

    async with workshop.worker({"slow": handler}) as stop:
        task = await workshop.ask("slow")
        await claimed.wait()
        with workshop.owner.transaction():
            workshop.owner.execute("update absurd.r_work set claim_expires_at = now()")
            taken = workshop.rows("select attempt from durable.claim('other', 60, 1)")
            overdue.set()
            await asyncio.sleep(0.1)
            assert not refused.is_set()
        await asyncio.wait_for(refused.wait(), 5)
        stop.set()

    assert taken == [(2,)]
    assert workshop.effects() == []
    assert workshop.runs(task) == [(1, "failed"), (2, "running")]


async def test_a_run_that_slept_and_was_claimed_anew_refuses_its_former_owner(workshop: Workshop) -> None:
    """It keeps its id and attempt; only the claim tells the two apart."""
    await workshop.ask("five")
    [(run_id,)] = workshop.rows("select run_id from durable.claim('first', 60, 1)")
    workshop.rows("select durable.put_back(%s, 'first', 0)", run_id)
    assert workshop.rows("select run_id from durable.claim('second', 60, 1)") == [(run_id,)]

    for stale in ("enter(%s, 'first', 60)", "finish(%s, 'first')", "retry(%s, 'first', '{}', 0)"):
        with pytest.raises(Exception, match="another claim") as caught:
            workshop.rows(f"select durable.{stale}", run_id)
        assert caught.value.sqlstate == "AB002"
    assert workshop.rows("select durable.extend(%s, %s, 60)", [run_id], ["first"]) == [(run_id,)]
    assert workshop.rows("select durable.extend(%s, %s, 60)", [run_id], ["second"]) == []


async def test_a_worker_that_stops_inside_a_transaction_does_not_hold_the_run(workshop: Workshop) -> None:
    """Its session is ended after the time of a lease, or the lock would keep the run from everybody for ever."""
    attempts: list[int] = []

    async def handler(run: Run) -> None:
        attempts.append(run.attempt)
        async with run.transaction() as session:
            await record(session, "t", run.attempt)
            if run.attempt == 1:
                await asyncio.sleep(LEASE_SECONDS + 1)
                await session.execute(text("select 1"))

    async with workshop.worker({"stuck": handler}):
        task = await workshop.ask("stuck")
        await until(lambda: workshop.state(task) == "completed")

    assert workshop.effects() == [("t", attempts[-1])]
    assert len(attempts) > 1


async def test_a_worker_that_is_stopped_hands_its_runs_back_at_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bivelio_server.durable.crew.GRACE_SECONDS", 0.1)
    started = asyncio.Event()

    async def endless(run: Run) -> None:
        started.set()
        await asyncio.Event().wait()

    async def handler(run: Run) -> None: ...

    async with workshop.worker({"long": endless}) as stop:
        task = await workshop.ask("long")
        await started.wait()
        stop.set()
    assert workshop.rows("select state, available_at <= now() from absurd.r_work") == [("sleeping", True)]
    async with workshop.worker({"long": handler}):
        await until(lambda: workshop.state(task) == "completed", 2)

    assert workshop.runs(task) == [(1, "completed")]


async def test_a_long_handler_keeps_its_lease(workshop: Workshop) -> None:
    async def handler(run: Run) -> None:
        await asyncio.sleep(LEASE_SECONDS * 1.5)

    async with workshop.worker({"long": handler}):
        task = await workshop.ask("long")
        await until(lambda: workshop.state(task) == "completed")

    assert workshop.runs(task) == [(1, "completed")]


async def test_a_worker_outlives_its_database_connections(
    workshop: Workshop, break_connections: Callable[[], None]
) -> None:
    async def handler(run: Run) -> None:
        async with run.transaction() as session:
            await record(session, "t", 1)
            await run.finish(session)

    async with workshop.worker({"brave": handler}):
        first = await workshop.ask("brave")
        await until(lambda: workshop.state(first) == "completed")
        break_connections()
        second = workshop.rows(
            "select set_config('app.org_id', %s, false), set_config('app.environment', 'live', false),"
            " durable.spawn('brave', '{}')",
            str(workshop.caller.org_id),
        )[0][2]
        await until(lambda: workshop.state(second) == "completed")

    assert workshop.effects() == [("t", 1), ("t", 1)]


async def test_a_run_knows_how_often_its_workers_died(workshop: Workshop) -> None:
    """Only in a row: whatever ends an attempt with a word, or brings the run further, counts anew."""
    await workshop.ask("five")
    claimed = "select run_id, lost from durable.claim('w', 60, 1, null, '{}', '{}', 0, gen_random_uuid())"

    def lost_after(*calls: str) -> int:
        [(run_id, lost)] = workshop.rows(claimed)
        for call in calls:
            workshop.owner.execute(call, {"run": run_id})
        return int(lost)

    dies = "update absurd.r_work set claim_expires_at = now() where run_id = %(run)s"
    fails = "select durable.retry(%(run)s, 'w', '{\"name\": \"E\"}', 0)"
    sleeps = "select durable.sleep_until(%(run)s, 'w', now())"
    is_put_back = "select durable.put_back(%(run)s, 'w', 0)"
    gets_on = "select durable.get_on(%(run)s, 'w')"

    assert [lost_after(dies) for _ in range(3)] == [0, 1, 2]
    assert [lost_after(is_put_back), lost_after(fails)] == [3, 3]
    assert [lost_after(dies), lost_after(sleeps)] == [0, 1]
    assert [lost_after(dies), lost_after(gets_on, dies), lost_after(dies)] == [0, 1, 1]


async def test_a_run_that_gets_on_forgets_what_it_lost(workshop: Workshop) -> None:
    seen: list[int] = []

    async def handler(run: Run) -> None:
        seen.append(run.lost)
        async with run.transaction():
            run.get_on()
        seen.append(run.lost)

    task = await workshop.ask("long")
    workshop.rows("select run_id from durable.claim('dead', 60, 1)")
    workshop.owner.execute("update absurd.r_work set claim_expires_at = now()")
    async with workshop.worker({"long": handler}):
        await until(lambda: workshop.state(task) == "completed")

    assert seen == [1, 0]
    assert workshop.rows("select attempt, lost from absurd.r_work order by 1") == [(1, 0), (2, 0)]
