"""Who has a place, who waits outside, and who comes back first."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from bivelio_server.durable import Run
from bivelio_server.durable.places import Place, Places, Room
from tests.durable.workshop import Workshop, until

pytestmark = pytest.mark.anyio

ONE, OTHER, THIRD = (UUID(int=number) for number in (1, 2, 3))


def make(inside: int = 2, kept: int = 0, outside: int = 2, freed: Callable[[], None] = lambda: None) -> Places:
    return Places(Room(inside + kept, kept), Room(outside, outside // 4), freed)


async def waiting(place: Place) -> asyncio.Task[None]:
    task = asyncio.create_task(place.take())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_work_that_waits_outside_leaves_its_place_and_has_one_again_when_it_returns() -> None:
    places = make(inside=1)
    first = places.occupy(ONE)

    first.leave()
    second = places.occupy(ONE)
    returning = await waiting(first)
    second.give_up()
    await returning

    assert (places.inside.taken, places.outside.taken) == (1, 0)
    first.give_up()
    assert (places.inside.taken, places.held()) == (0, {})


async def test_a_place_is_kept_when_there_is_no_room_outside() -> None:
    places = make(outside=1)
    crowd = [places.occupy(ONE) for _ in range(2)]

    for place in crowd:
        place.leave()

    assert (places.inside.taken, places.outside.taken) == (1, 1)
    await asyncio.wait_for(crowd[1].take(), 1)


async def test_who_had_to_stay_changes_places_with_one_who_returns() -> None:
    """Some inside, some outside, and those inside wait for these: a crowd that takes turns at something."""
    places = make(inside=2, outside=2)
    turns = asyncio.Semaphore(1)

    async def take_a_turn(place: Place) -> None:
        place.leave()
        async with turns:
            for _ in range(2):
                await asyncio.sleep(0.01)
                await place.take()
                place.leave()
        place.give_up()

    async with asyncio.timeout(10), asyncio.TaskGroup() as crowd:
        for _ in range(20):
            while not places.inside.open:  # noqa: ASYNC110 - as the dispatcher, which claims when it may
                await asyncio.sleep(0.001)
            crowd.create_task(take_a_turn(places.occupy(ONE)))
            await asyncio.sleep(0)

    assert (places.inside.taken, places.outside.taken) == (0, 0)


async def test_who_had_to_stay_leaves_when_there_is_room() -> None:
    places = make(outside=1)
    first, staying = places.occupy(ONE), places.occupy(ONE)
    first.leave()
    staying.leave()

    first.give_up()

    assert (places.inside.taken, places.outside.taken) == (0, 1)
    staying.give_up()
    assert places.held() == {}


async def test_who_has_come_back_to_work_is_not_sent_out() -> None:
    places = make(outside=1)
    absent, working = places.occupy(ONE), places.occupy(ONE)
    absent.leave()
    working.leave()
    await working.take()
    busy = places.occupy(OTHER)

    refused = await waiting(absent)
    busy.give_up()

    await asyncio.wait_for(refused, 1)
    assert (places.inside.taken, places.outside.taken) == (2, 0)


async def test_the_last_of_the_room_outside_is_for_those_who_have_none() -> None:
    places = make(inside=9, outside=8)
    greedy = [places.occupy(ONE) for _ in range(8)]
    modest = [places.occupy(OTHER) for _ in range(2)]

    for place in [*greedy, *modest]:
        place.leave()

    assert places.outside.by_holder == {ONE: 6, OTHER: 1}


async def test_the_last_places_are_for_those_who_have_nothing_else_here() -> None:
    places = make(inside=1, kept=1)
    absent, crowd = places.occupy(OTHER), [places.occupy(ONE), places.occupy(ONE)]
    absent.leave()
    crowd[1].leave()

    refused = await waiting(crowd[1])
    await asyncio.wait_for(absent.take(), 1)
    crowd[0].give_up()
    absent.give_up()

    await asyncio.wait_for(refused, 1)


async def test_who_has_least_comes_back_first() -> None:
    places = make(inside=1, outside=8)
    crowd = [places.occupy(holder) for holder in (ONE, ONE, ONE, OTHER)]
    for place in crowd:
        place.leave()
    busy = places.occupy(THIRD)
    order: list[UUID | None] = []

    async def come_back(place: Place) -> None:
        await place.take()
        order.append(place.holder)
        place.give_up()

    async with asyncio.TaskGroup() as returning:
        for place in crowd:
            returning.create_task(come_back(place))
        await asyncio.sleep(0)
        busy.give_up()

    assert order[0] == OTHER
    assert (places.inside.taken, places.outside.taken) == (0, 0)


async def test_whoever_is_broken_off_while_it_waits_leaves_nothing_behind() -> None:
    freed: list[bool] = []
    places = make(inside=1, freed=lambda: freed.append(True))
    absent = places.occupy(ONE)
    absent.leave()
    busy = places.occupy(ONE)
    in_line, at_the_door = await waiting(absent), absent
    busy.give_up()
    in_line.cancel()
    await asyncio.wait([in_line])
    at_the_door.give_up()

    assert (places.inside.taken, places.outside.taken) == (0, 0)
    assert freed


async def test_another_run_has_the_place_during_a_call_to_the_outside(workshop: Workshop) -> None:
    settings = workshop.services.settings.model_copy(update={"worker_slots": 1})
    shop = replace(workshop, services=replace(workshop.services, settings=settings))
    order: list[str] = []
    answered, calling = asyncio.Event(), asyncio.Event()

    async def caller(run: Run) -> None:
        async with run.outside():
            calling.set()
            await answered.wait()
        order.append("called")

    async def neighbour(run: Run) -> None:
        answered.set()
        await asyncio.sleep(0.05)
        order.append("neighbour")

    async with shop.worker({"call": caller, "other": neighbour}):
        call = await shop.ask("call")
        await calling.wait()
        other = await shop.ask("other")
        await until(lambda: {shop.state(call), shop.state(other)} == {"completed"})

    assert order == ["neighbour", "called"]


async def test_a_part_of_a_run_goes_on_while_others_are_outside(workshop: Workshop) -> None:
    answered = asyncio.Event()
    places: list[tuple[int, int]] = []

    async def handler(run: Run) -> None:
        def note() -> None:
            held = run.place._places
            places.append((held.inside.taken, held.outside.taken))

        async def call() -> None:
            async with run.outside():
                await answered.wait()

        async with asyncio.TaskGroup() as parts:
            for _ in range(2):
                parts.create_task(call())
            await asyncio.sleep(0)
            note()
            async with run.transaction() as session:
                await session.execute(text("select 1"))
                note()
            note()
            answered.set()
        note()

    async with workshop.worker({"parts": handler}):
        task = await workshop.ask("parts")
        await until(lambda: workshop.state(task) == "completed")

    assert places == [(0, 1), (1, 0), (0, 1), (1, 0)]
