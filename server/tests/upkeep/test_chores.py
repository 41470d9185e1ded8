"""Chores are done by one process at a time, when they are due."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from bivelio_server.durable.chores import Chore, do_due
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services

pytestmark = pytest.mark.anyio


class Counting:
    """A chore that counts how often it is done."""

    def __init__(self, *, fails: bool = False) -> None:
        self.times = 0
        self.fails = fails
        self.chore = Chore(f"counting-{uuid4()}", timedelta(hours=1), self._work)

    async def _work(self, services: Services) -> int:
        self.times += 1
        await asyncio.sleep(0)
        if self.fails:
            raise ValueError
        return 7


async def test_a_chore_is_done_once_however_many_look(services: Services, owner: psycopg.Connection) -> None:
    counting = Counting()

    await asyncio.gather(*(do_due(services, [counting.chore]) for _ in range(5)))

    assert counting.times == 1
    assert owner.execute(
        "select done, error, busy_until from chores where name = %s", (counting.chore.name,)
    ).fetchone() == (7, None, None)


async def test_it_is_done_again_when_it_is_due(services: Services, clock: MovableClock) -> None:
    counting = Counting()

    await do_due(services, [counting.chore])
    clock.advance(minutes=59)
    await do_due(services, [counting.chore])
    before = counting.times
    clock.advance(minutes=2)
    await do_due(services, [counting.chore])

    assert (before, counting.times) == (1, 2)


async def test_one_that_fails_is_tried_soon_and_keeps_no_other_from_its_turn(
    services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    failing, good = Counting(fails=True), Counting()

    await do_due(services, [failing.chore, good.chore])
    clock.advance(minutes=6)
    await do_due(services, [failing.chore, good.chore])

    assert (failing.times, good.times) == (2, 1)
    assert owner.execute("select error, finished_at from chores where name = %s", (failing.chore.name,)).fetchone() == (
        "ValueError",
        None,
    )


async def test_one_whose_process_died_is_taken_over(services: Services, clock: MovableClock) -> None:
    counting = Counting()
    await services.database.call(
        "select take_chore(%s, %s, %s)", (counting.chore.name, clock.now(), counting.chore.lease)
    )

    await do_due(services, [counting.chore])
    while_it_may_live = counting.times
    clock.advance(minutes=6)
    await do_due(services, [counting.chore])

    assert (while_it_may_live, counting.times) == (0, 1)
