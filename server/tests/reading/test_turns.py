"""Who may read when many want to."""

import asyncio
from collections.abc import Hashable
from contextlib import AsyncExitStack, suppress

import pytest

from bivelio_server.kit.errors import Unavailable
from bivelio_server.reading.turns import Turns

pytestmark = pytest.mark.anyio


class Crowd:
    """Readings that last until they are told to end; `begun` are whose were let in, in that order."""

    def __init__(self, places: int) -> None:
        self.turns = Turns(places)
        self.begun: list[Hashable] = []
        self.readings: list[tuple[asyncio.Task[None], asyncio.Event]] = []

    async def come(self, *holders: str) -> None:
        for holder in holders:
            end = asyncio.Event()
            self.readings.append((asyncio.create_task(self._read(holder, end)), end))
        await self._settle()

    async def end(self, *numbers: int) -> None:
        for number in numbers:
            self.readings[number][1].set()
            await self._settle()

    async def __aenter__(self) -> "Crowd":
        return self

    async def __aexit__(self, *_: object) -> None:
        for number in range(len(self.readings)):
            await self.break_off(number)

    async def break_off(self, number: int) -> None:
        self.readings[number][0].cancel()
        with suppress(asyncio.CancelledError):
            await self.readings[number][0]

    async def _read(self, holder: str, end: asyncio.Event) -> None:
        async with self.turns.place(holder, None):
            self.begun.append(holder)
            await end.wait()

    async def _settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_crowd_of_one_leaves_a_place_for_another() -> None:
    async with Crowd(2) as crowd:
        await crowd.come("a", "a", "a", "a", "b")

        assert crowd.begun == ["a", "a", "b"]
        assert (crowd.turns.waiting("a"), crowd.turns.waiting("b")) == (2, 0)


async def test_what_gets_free_goes_to_who_has_least() -> None:
    async with Crowd(2) as crowd:
        await crowd.come("a", "a", "b", "a", "a", "c", "b")

        await crowd.end(0, 1, 2)

        assert crowd.begun == ["a", "a", "b", "c", "a", "b"]


async def test_who_gives_up_waiting_or_is_broken_off_leaves_nothing_behind() -> None:
    async with Crowd(1) as crowd:
        await crowd.come("a", "a", "a")
        await crowd.break_off(1)
        await crowd.break_off(0)

        await crowd.come("a")
        await crowd.end(2)

        assert crowd.begun == ["a", "a", "a"]
        assert crowd.turns.waiting("a") == 0


async def test_nobody_waits_longer_than_they_want_to() -> None:
    turns = Turns(1)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(turns.place("a", None))

        with pytest.raises(Unavailable):
            await stack.enter_async_context(turns.place("a", 0.01))
