"""What a handler can do with its run, and what becomes of it."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from sqlalchemy import text
from structlog.typing import EventDict

from bivelio_server.durable import Run, Superseded, TooNew, cancel, queue_figures, spawn, wake
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.execution import transaction
from tests.durable.workshop import ORIGIN, Workshop, new_caller, record, until

pytestmark = pytest.mark.anyio


async def test_a_task_reaches_its_handler_with_its_ids_and_its_tenant(workshop: Workshop) -> None:
    seen: list[tuple[object, ...]] = []

    async def handler(run: Run) -> None:
        async with run.transaction() as session:
            tenant = text("select current_setting('app.org_id'), current_setting('app.environment')")
            seen.append((run.params, run.org_id, run.environment, *(await session.execute(tenant)).one()))

    caller = new_caller(Environment.sandbox)
    async with workshop.worker({"greet": handler}):
        task = await workshop.ask("greet", caller=caller, params={"contact": "con_1"})
        await until(lambda: workshop.state(task) == "completed")

    assert seen == [
        ({"contact": "con_1"}, caller.org_id, Environment.sandbox, str(caller.org_id), "sandbox")
    ]  # fmt: skip


async def test_nothing_is_queued_when_the_transaction_fails(workshop: Workshop) -> None:
    async def fail() -> None:
        async with transaction(workshop.caller, workshop.services, ORIGIN) as context:
            await spawn(context, "greet", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert workshop.rows("select * from absurd.t_work") == []


async def test_a_failed_attempt_leaves_no_effect_and_is_followed_by_another(
    workshop: Workshop, logs: list[EventDict]
) -> None:
    async def fails_once(run: Run) -> None:
        async with run.transaction() as session:
            await record(session, "t", run.attempt)
            await run.finish(session)
            if run.attempt == 1:
                raise ConnectionError("the outside is away")

    async with workshop.worker({"flaky": fails_once}):
        task = await workshop.ask("flaky")
        await until(lambda: workshop.state(task) == "completed")

    assert workshop.effects() == [("t", 2)]
    assert workshop.rows("select attempt, state, failure_reason from absurd.r_work order by 1") == [
        (1, "failed", {"name": "ConnectionError"}),
        (2, "completed", None),
    ]
    assert [(log["event"], log["task"], log["attempt"]) for log in logs] == [("task_failed", "flaky", 1)]


async def test_a_run_sleeps_without_a_slot_and_comes_back_at_its_time(workshop: Workshop) -> None:
    clock = workshop.services.clock
    calls: list[int] = []

    async def naps(run: Run) -> None:
        calls.append(run.attempt)
        async with run.transaction() as session:
            if len(calls) == 1:
                await run.sleep_until(session, clock.now() + timedelta(hours=1))

    async with workshop.worker({"nap": naps}):
        task = await workshop.ask("nap")
        await until(lambda: workshop.state(task) == "sleeping")
        [figures] = await queue_figures(workshop.services.database, clock.now())
        clock.advance(hours=1)
        await until(lambda: workshop.state(task) == "completed")

    assert (figures.task, figures.due, figures.sleeping, figures.running) == ("nap", 0, 1, 0)
    assert calls == [1, 1]


async def test_short_sleeps_are_punctual(workshop: Workshop) -> None:
    loop = asyncio.get_running_loop()
    called: list[float] = []

    async def naps(run: Run) -> None:
        called.append(loop.time())
        async with run.transaction() as session:
            if len(called) < 4:
                await run.sleep_until(session, run.services.clock.now() + timedelta(milliseconds=100))

    async with workshop.worker({"nap": naps}):
        task = await workshop.ask("nap")
        await until(lambda: workshop.state(task) == "completed")

    gaps = [later - earlier for earlier, later in pairwise(called)]
    assert all(0.09 < gap < 0.4 for gap in gaps), gaps


async def test_a_task_spawned_for_later_starts_early_when_woken(workshop: Workshop) -> None:
    async def handler(run: Run) -> None: ...

    async with workshop.worker({"later": handler}):
        task = await workshop.ask("later", at=workshop.services.clock.now() + timedelta(days=1))
        assert workshop.state(task) == "sleeping"
        async with transaction(workshop.caller, workshop.services, ORIGIN) as context:
            assert await wake(context, task)
        await until(lambda: workshop.state(task) == "completed")


async def test_a_change_made_while_a_run_goes_to_sleep_wakes_it(workshop: Workshop) -> None:
    """The wake-up waits for the transaction that looked before the change; otherwise the run would sleep for good."""
    about_to_sleep, calls = asyncio.Event(), []

    async def naps(run: Run) -> None:
        calls.append(run)
        async with run.transaction() as session:
            if len(calls) == 1:
                about_to_sleep.set()
                await asyncio.sleep(0.2)
                await run.sleep_until(session, run.services.clock.now() + timedelta(days=1))

    async with workshop.worker({"nap": naps}):
        task = await workshop.ask("nap")
        await about_to_sleep.wait()
        async with transaction(workshop.caller, workshop.services, ORIGIN) as context:
            assert await wake(context, task)
        await until(lambda: workshop.state(task) == "completed")


async def test_a_cancelled_task_is_refused_its_next_transaction(workshop: Workshop) -> None:
    started, cancelled, refused = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(run: Run) -> None:
        started.set()
        await cancelled.wait()
        try:
            async with run.transaction() as session:
                await record(session, "t", 1)
        except Superseded:
            refused.set()
            raise

    async with workshop.worker({"long": handler}):
        task = await workshop.ask("long")
        await started.wait()
        async with transaction(workshop.caller, workshop.services, ORIGIN) as context:
            assert await cancel(context, task)
        cancelled.set()
        await asyncio.wait_for(refused.wait(), 5)

    assert workshop.effects() == []
    assert workshop.runs(task) == [(1, "cancelled")]


async def test_a_handler_that_waits_is_broken_off_when_its_task_is_cancelled(workshop: Workshop) -> None:
    started, broken_off = asyncio.Event(), asyncio.Event()

    async def handler(run: Run) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.set()

    async with workshop.worker({"long": handler}):
        task = await workshop.ask("long")
        await started.wait()
        async with transaction(workshop.caller, workshop.services, ORIGIN) as context:
            await cancel(context, task)
        await asyncio.wait_for(broken_off.wait(), 5)


async def test_an_unknown_task_is_left_to_a_worker_that_knows_it(workshop: Workshop) -> None:
    async def handler(run: Run) -> None: ...

    async with workshop.worker():
        task = await workshop.ask("of_a_newer_version")
        await until(lambda: workshop.state(task) == "sleeping")
    workshop.services.clock.advance(seconds=60)
    async with workshop.worker({"of_a_newer_version": handler}):
        await until(lambda: workshop.state(task) == "completed")

    assert workshop.runs(task) == [(1, "completed")]


async def test_work_of_a_newer_version_is_put_back_undone(workshop: Workshop) -> None:
    async def of_old(run: Run) -> None:
        async with run.transaction() as session:
            await record(session, "old", 1)
            raise TooNew

    async def of_new(run: Run) -> None: ...

    async with workshop.worker({"shared": of_old}):
        task = await workshop.ask("shared")
        await until(lambda: workshop.state(task) == "sleeping")
    workshop.services.clock.advance(seconds=60)
    async with workshop.worker({"shared": of_new}):
        await until(lambda: workshop.state(task) == "completed")

    assert workshop.effects() == []
    assert workshop.runs(task) == [(1, "completed")]


async def test_a_run_may_sleep_until_it_is_woken(workshop: Workshop) -> None:
    calls: list[Run] = []

    async def waits(run: Run) -> None:
        calls.append(run)
        async with run.transaction() as session:
            if len(calls) == 1:
                await run.sleep_until(session, None)

    async with workshop.worker({"wait": waits}):
        task = await workshop.ask("wait")
        await until(lambda: workshop.state(task) == "sleeping")
        workshop.services.clock.advance(days=3650)
        await workshop.ask("wait")
        await until(lambda: len(calls) == 2)
        async with transaction(workshop.caller, workshop.services, ORIGIN) as context:
            assert workshop.state(task) == "sleeping"
            assert await wake(context, task)
        await until(lambda: workshop.state(task) == "completed")


async def test_a_key_fires_once_for_a_tenant(workshop: Workshop) -> None:
    first = await workshop.ask("greet", key="cron:1")
    again = await workshop.ask("greet", key="cron:1")
    of_another = await workshop.ask("greet", key="cron:1", caller=new_caller())
    without = await workshop.ask("greet")

    assert again == first
    assert len({first, of_another, without}) == 3
    assert len(workshop.rows("select * from absurd.r_work")) == 3


async def test_a_run_ends_in_its_own_transaction_only(workshop: Workshop) -> None:
    raised: list[Exception] = []

    async def handler(run: Run) -> None:
        async with run.transaction() as first:
            pass
        try:
            async with run.transaction():
                await run.finish(first)
        except RuntimeError as error:
            raised.append(error)

    async with workshop.worker({"odd": handler}):
        await workshop.ask("odd")
        await until(lambda: raised != [])


async def test_another_tenants_task_is_neither_cancelled_nor_woken(workshop: Workshop) -> None:
    task = await workshop.ask("greet", at=workshop.services.clock.now() + timedelta(days=1))
    sandbox = Workshop(workshop.services, workshop.owner, caller=new_caller(Environment.sandbox))

    for stranger in (new_caller(), sandbox.caller):
        async with transaction(stranger, workshop.services, ORIGIN) as context:
            assert not await cancel(context, task)
            assert not await wake(context, task)
            assert not await cancel(context, uuid4())

    assert workshop.state(task) == "sleeping"
