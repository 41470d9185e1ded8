"""One worker at a time for each key of a lane."""

import asyncio
import itertools

import pytest

from bivelio_server.durable import Lane, LaneRun, Superseded
from tests.durable.conftest import StartWorker
from tests.durable.workshop import PARCELS, Workshop, record, until

pytestmark = pytest.mark.anyio


def add_parcels(workshop: Workshop, keys: int, each: int) -> None:
    workshop.owner.execute(
        "insert into bench.parcels select %s, 'live', 'key ' || k, p"
        " from generate_series(1, %s) k, generate_series(1, %s) p",
        (workshop.caller.org_id, keys, each),
    )
    workshop.services.wakeups.wake("parcels")


def deliveries(workshop: Workshop) -> dict[str, list[tuple[int, str]]]:
    rows = workshop.rows("select task, step, worker from bench.effects order by task, at")
    return {key: [row[1:] for row in group] for key, group in itertools.groupby(rows, lambda row: row[0])}


async def test_two_processes_never_serve_one_key_at_once_and_survive_a_kill(
    workshop: Workshop, start_worker: StartWorker
) -> None:
    start_worker()
    start_worker()
    add_parcels(workshop, keys=6, each=30)
    await until(lambda: len(workshop.effects()) >= 40)
    start_worker.processes[0].kill()
    await until(lambda: workshop.rows("select 1 from bench.parcels") == [], 30)

    delivered = deliveries(workshop)
    for parcels in delivered.values():
        assert [place for place, _ in parcels] == list(range(1, 31))
        assert len(list(itertools.groupby(worker for _, worker in parcels))) <= 3
    assert len(delivered) == 6


async def test_a_key_that_becomes_due_while_its_lane_is_left_is_served_at_once(workshop: Workshop) -> None:
    served: list[float] = []

    async def takes_one(lane: LaneRun) -> None:
        """Leaves the rest due, as if it had come in just after the last look."""
        served.append(asyncio.get_running_loop().time())
        workshop.owner.execute("delete from bench.parcels where place = %s", (len(served),))

    lane = Lane("parcels", "parcels", PARCELS.due, takes_one)
    async with workshop.worker(lanes=[lane]):
        add_parcels(workshop, keys=1, each=10)
        await until(lambda: len(served) == 10)

    assert served[-1] - served[0] < 0.8


async def test_a_lane_without_work_is_left(workshop: Workshop) -> None:
    async with workshop.worker(lanes=[PARCELS]):
        add_parcels(workshop, keys=3, each=2)
        await until(lambda: workshop.rows("select 1 from bench.parcels") == [])
        await until(lambda: workshop.rows("select 1 from durable.lanes") == [])

    assert len(workshop.effects()) == 6


async def test_a_drain_that_fails_rests_and_is_tried_again(workshop: Workshop) -> None:
    attempts: list[LaneRun] = []

    async def fails_once(lane: LaneRun) -> None:
        attempts.append(lane)
        if len(attempts) == 1:
            raise ConnectionError("the outside is away")
        workshop.owner.execute("delete from bench.parcels")

    async with workshop.worker(lanes=[Lane("parcels", "parcels", PARCELS.due, fails_once)]):
        add_parcels(workshop, keys=1, each=1)
        await until(lambda: workshop.rows("select 1 from bench.parcels") == [])

    assert len(attempts) == 2


async def test_who_lost_a_lane_is_refused_and_broken_off(workshop: Workshop) -> None:
    began, broken_off = asyncio.Event(), asyncio.Event()
    answers: list[object] = []

    async def stale(lane: LaneRun) -> None:
        answers.append(await lane.still_ours())
        workshop.owner.execute("update durable.lanes set worker = 'another'")
        answers.append(await lane.still_ours())
        try:
            async with lane.transaction() as session:
                await record(session, "t", 1)
        except Superseded:
            answers.append("refused")
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.set()

    async with workshop.worker(lanes=[Lane("parcels", "parcels", PARCELS.due, stale)]):
        add_parcels(workshop, keys=1, each=1)
        await began.wait()
        await asyncio.wait_for(broken_off.wait(), 5)

    assert answers == [True, False, "refused"]
    assert workshop.rows("select worker from durable.lanes") == [("another",)]


async def test_more_keys_than_places_are_all_served(workshop: Workshop) -> None:
    lane = Lane("parcels", "parcels", PARCELS.due, PARCELS.drain, at_once=2)
    async with workshop.worker(lanes=[lane]):
        add_parcels(workshop, keys=7, each=1)
        await until(lambda: len(workshop.effects()) == 7, 5)
