"""Branches that call the outside: at the same time, each once, broken off when they are not needed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from structlog.testing import capture_logs

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from tests.workflows.arranging import (
    Json,
    contact_names,
    create_contact,
    ended,
    instance,
    later,
    run,
    started,
    step_of,
    until,
    workflow,
)
from tests.workflows.couriers import Courier
from tests.world import Client

pytestmark = pytest.mark.anyio


class Road:
    """Calls that stay under way until they are let through, and who was broken off on it."""

    def __init__(self) -> None:
        self.under_way = 0
        self.most = 0
        self.broken_off = 0
        self.open = asyncio.Event()

    async def travel(self) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.broken_off += 1
            raise
        finally:
            self.under_way -= 1


@pytest.fixture
def road() -> Road:
    return Road()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


def send(step_id: str, to: str = "Ana", **more: object) -> Json:
    return {"id": step_id, "uses": "parcels.send", "with": {"to": to}, **more}


def there(road: Road, number: int) -> Callable[[], Awaitable[bool]]:
    async def is_there() -> bool:
        return road.under_way == number

    return is_there


async def refuse() -> None:
    raise IntegrationRefused


async def fail_for_now() -> None:
    raise IntegrationFailed


async def test_branches_call_at_the_same_time(client: Client, courier: Courier, road: Road) -> None:
    courier.on_call = [road.travel] * 3
    step = {"id": "all", "parallel": {name: [send(f"send_{name}", name)] for name in ("a", "b", "c")}}
    queued = await started(client, await workflow(client, step))
    await until(there(road, 3))

    road.open.set()
    found = await ended(client, queued)

    assert sorted(courier.keys) == [f"{found['instance_id']}:send_{name}" for name in ("a", "b", "c")]
    assert {name: one["to"] for name, one in step_of(found, "all")["output"]["branches"].items()} == {
        "a": "a", "b": "b", "c": "c",
    }  # fmt: skip


async def test_items_call_as_many_at_once_as_allowed(client: Client, courier: Courier, road: Road) -> None:
    courier.on_call = [road.travel] * 2
    step = {"id": "each", "for_each": ["a", "b", "c", "d"], "concurrency": 2, "steps": [send("one", "{{ item }}")]}
    queued = await started(client, await workflow(client, step))
    await until(there(road, 2))

    road.open.set()
    found = await ended(client, queued)

    assert road.most == 2
    assert sorted(courier.keys) == [f"{found['instance_id']}:each[{index}].one" for index in range(4)]


async def test_a_writing_branch_goes_on_beside_a_call(client: Client, courier: Courier, road: Road) -> None:
    courier.on_call = [road.travel]
    step = {"id": "all", "parallel": {"a": [send("far")], "b": [create_contact("near", name="Cerca")]}}
    queued = await started(client, await workflow(client, step))
    await until(there(road, 1))

    async def near_is_done() -> bool:
        return "Cerca" in await contact_names(client)

    await until(near_is_done)
    assert road.under_way == 1
    road.open.set()
    await ended(client, queued)


async def test_the_first_branch_breaks_the_others_off(client: Client, courier: Courier, road: Road) -> None:
    async def until_the_other_travels() -> None:
        await until(there(road, 1))

    courier.on_call = [road.travel, until_the_other_travels]
    step = {"id": "race", "join": "first", "parallel": {"a": [send("slow")], "b": [send("quick")]}}
    made = await workflow(client, step, create_contact("after", name="Después"))

    found = await run(client, made)

    assert (found["status"], road.broken_off, step_of(found, "slow")["status"]) == ("completed", 1, "cancelled")
    assert await contact_names(client) == ["prepared", "prepared", "recorded", "Después"]


async def test_a_branch_that_fails_breaks_the_others_off(client: Client, courier: Courier, road: Road) -> None:
    courier.on_call = [road.travel, refuse]
    step = {"id": "all", "parallel": {"a": [send("slow")], "b": [send("bad")]}}

    found = await run(client, await workflow(client, step))

    assert (found["status"], found["error"]["step_id"], road.broken_off) == ("failed", "bad", 1)


async def test_a_call_has_its_time_at_each_attempt(
    client: Client, courier: Courier, road: Road, depot: Services, clock: MovableClock
) -> None:
    courier.on_call = [road.travel]
    queued = await started(client, await workflow(client, send("slow", timeout_seconds=1)))

    async def broke_off() -> bool:
        return road.broken_off == 1

    await until(broke_off)
    found = await _in_time(client, queued, depot, clock)

    assert (found["status"], len(courier.keys), step_of(found, "slow")["attempts"]) == ("completed", 2, 2)
    assert await contact_names(client) == ["prepared", "failed IntegrationFailed", "recorded"]


async def test_retries_are_as_the_step_says(
    client: Client, courier: Courier, depot: Services, clock: MovableClock
) -> None:
    courier.on_call = [fail_for_now] * 9
    retry = {"attempts": 3, "delay_seconds": 60, "factor": 1}
    queued = await started(client, await workflow(client, send("s", retry=retry)))
    await until(lambda: _has_tried(client, queued, 1))
    first = step_of(await instance(client, queued), "s")

    found = await _in_time(client, queued, depot, clock, seconds=61)

    assert (found["status"], len(courier.keys), found["error"]["code"]) == ("failed", 3, "INTEGRATION_ERROR")
    assert first["retry_at"] is not None


async def _has_tried(client: Client, queued: Json, times: int) -> bool:
    steps = (await instance(client, queued))["steps"]
    return bool(steps) and steps[0]["attempts"] >= times


async def _in_time(client: Client, queued: Json, services: Services, clock: MovableClock, seconds: float = 3) -> Json:
    """The run once it has ended, however often it has to be tried again."""
    found: Json = {}

    async def has_ended() -> bool:
        nonlocal found
        found = await instance(client, queued)
        later(services, clock, seconds=seconds)
        return found["finished_at"] is not None

    await until(has_ended)
    return found
