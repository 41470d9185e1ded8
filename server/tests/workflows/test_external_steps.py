"""Steps that call the outside: prepared and recorded once, the call repeated with the same key."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.durable import MAX_LOST
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from bivelio_server.workflows.instances import TASK
from bivelio_server.workflows.running.walker import DEFAULT_RETRY
from tests.workflows.arranging import (
    Json,
    code_of,
    contact_names,
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
from tests.workflows.steering import steer
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


async def crash() -> None:
    """The process loses its database, and with it the run."""
    raise psycopg.OperationalError


async def out_of_order() -> None:
    raise IntegrationFailed


async def refuse() -> None:
    raise IntegrationRefused(details={"provider": "address unknown"})


async def mistake() -> None:
    raise ZeroDivisionError


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Crashes are meant here; their tracebacks would only take time."""
    with capture_logs():
        yield


async def test_a_call_is_prepared_made_and_recorded(client: Client, courier: Courier) -> None:
    found = await run(client, await workflow(client, Courier.STEP), to="Ana")

    assert found["output"] == {"to": "Ana", "number": 1, "receipt": "receipt 1"}
    assert courier.keys == [f"{found['instance_id']}:send"]
    assert await contact_names(client) == ["prepared", "recorded"]


async def test_a_crash_after_the_call_repeats_the_call_only(
    client: Client, courier: Courier, depot: Services, clock: MovableClock
) -> None:
    courier.on_call = [crash]
    queued = await started(client, await workflow(client, Courier.STEP), to="Ana")
    await until(lambda: _was_called(courier, 1))

    found = await _ended_in_time(client, queued, depot, clock)

    assert courier.keys == [f"{found['instance_id']}:send"] * 2
    assert await contact_names(client) == ["prepared", "recorded"]
    assert found["output"] == {"to": "Ana", "number": 1, "receipt": "receipt 2"}
    assert step_of(found, "send")["input"] == {"to": "Ana"}


async def test_a_crash_while_recording_repeats_the_call_and_records_once(
    client: Client, courier: Courier, depot: Services, clock: MovableClock
) -> None:
    courier.on_record = [crash]
    queued = await started(client, await workflow(client, Courier.STEP), to="Ana")
    await until(lambda: _was_called(courier, 1))

    found = await _ended_in_time(client, queued, depot, clock)

    assert courier.keys == [f"{found['instance_id']}:send"] * 2
    assert await contact_names(client) == ["prepared", "recorded"]


async def test_a_worker_that_lost_the_run_during_the_call_records_nothing(
    client: Client, courier: Courier, depot: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    answer = asyncio.Event()
    courier.on_call = [_until_set(answer)]
    queued = await started(client, await workflow(client, Courier.STEP), to="Ana")
    await until(lambda: _was_called(courier, 1))
    assert step_of(await instance(client, queued), "send")["status"] == "running"

    owner.execute(
        "update absurd.r_work set claim_expires_at = now() where state = 'running' and task_id ="
        " (select task_id from workflow_instances where id = %s)",
        (queued["instance_id"],),
    )
    found = await _ended_in_time(client, queued, depot, clock)
    answer.set()
    await until(_nobody_works)

    assert len(courier.keys) == 2
    assert found["output"]["receipt"] == "receipt 2"
    assert await contact_names(client) == ["prepared", "recorded"]


async def test_a_service_that_fails_for_now_is_called_again(
    client: Client, courier: Courier, depot: Services, clock: MovableClock
) -> None:
    courier.on_call = [out_of_order, out_of_order]
    queued = await started(client, await workflow(client, Courier.STEP), to="Ana")
    await until(lambda: _was_called(courier, 1))
    await until(lambda: _attempts(client, queued, 1))
    resting = step_of(await instance(client, queued), "send")

    found = await _ended_in_time(client, queued, depot, clock)

    assert (resting["status"], resting["error"]["code"]) == ("running", "INTEGRATION_ERROR")
    assert resting["error"]["details"]["retryable"] is True
    assert courier.keys == [f"{found['instance_id']}:send"] * 3
    failed = "failed IntegrationFailed"
    assert await contact_names(client) == ["prepared", failed, failed, "recorded"]
    assert (step_of(found, "send")["attempts"], step_of(found, "send")["error"]) == (3, None)


async def test_a_service_that_keeps_failing_fails_the_run(
    client: Client, courier: Courier, depot: Services, clock: MovableClock
) -> None:
    courier.on_call = [out_of_order] * 10
    queued = await started(client, await workflow(client, Courier.STEP), to="Ana")

    found = await _ended_in_time(client, queued, depot, clock, status="failed")

    assert len(courier.keys) == DEFAULT_RETRY.attempts == step_of(found, "send")["attempts"]
    assert (found["error"]["code"], found["error"]["step_id"]) == ("INTEGRATION_ERROR", "send")
    assert await contact_names(client) == ["prepared", *["failed IntegrationFailed"] * DEFAULT_RETRY.attempts]


async def test_a_service_that_refuses_fails_the_run_at_once(client: Client, courier: Courier) -> None:
    courier.on_call = [refuse]

    found = await run(client, await workflow(client, Courier.STEP), to="Ana")

    assert (found["status"], found["error"]["code"]) == ("failed", "INTEGRATION_ERROR")
    assert found["error"]["details"] == {"retryable": False, "provider": "address unknown"}
    assert len(courier.keys) == 1
    assert await contact_names(client) == ["prepared", "failed IntegrationRefused"]


@pytest.mark.parametrize("part", ["on_call", "on_record"])
async def test_a_mistake_of_ours_is_tried_again_with_the_same_key(
    client: Client, courier: Courier, depot: Services, clock: MovableClock, part: str
) -> None:
    setattr(courier, part, [mistake, mistake])
    queued = await started(client, await workflow(client, Courier.STEP), to="Ana")

    found = await _ended_in_time(client, queued, depot, clock)

    assert courier.keys == [f"{found['instance_id']}:send"] * 3
    assert await contact_names(client) == ["prepared", "recorded"]
    assert step_of(found, "send")["attempts"] == 3


async def test_a_call_that_is_done_again_has_another_key(client: Client, courier: Courier) -> None:
    courier.on_call = [refuse]
    before = await run(client, await workflow(client, Courier.STEP), to="Ana")

    for step in (None, "send"):
        await steer(client, "retry", before, **({"from_step": step} if step else {}))
        await ended(client, before)

    key = f"{before['instance_id']}:send"
    assert courier.keys == [key, f"{key}:1", f"{key}:2"]


async def test_a_call_that_was_broken_off_keeps_its_key(client: Client, courier: Courier) -> None:
    """Nobody knows what became of it; where the service honours the key, it counts once."""
    courier.on_call = [_until_set(asyncio.Event())]
    queued = await started(client, await workflow(client, Courier.STEP), to="Ana")
    await until(lambda: _was_called(courier, 1))
    await steer(client, "cancel", queued)

    await steer(client, "retry", queued)
    await ended(client, queued)

    assert courier.keys == [f"{queued['instance_id']}:send"] * 2


async def test_a_call_that_kills_its_workers_is_given_up_and_recorded(
    client: Client, courier: Courier, depot: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    """What merely waits beside it is not blamed; the run can be retried."""
    courier.on_call = [crash]
    both = {"id": "both", "parallel": {"a": [{"id": "pause", "wait": {"seconds": 86_400}}], "b": [Courier.STEP]}}
    queued = await started(client, await workflow(client, both), to="Ana")
    await until(lambda: _was_called(courier, 1))
    await until(_nobody_works)

    owner.execute(
        "update absurd.r_work set lost = %s where state = 'sleeping' and task_id ="
        " (select task_id from workflow_instances where id = %s)",
        (MAX_LOST, queued["instance_id"]),
    )
    found = await _ended_in_time(client, queued, depot, clock, status="failed")
    names = await contact_names(client)
    await steer(client, "retry", queued)

    assert (found["error"]["path"], step_of(found, "pause")["status"]) == ("send", "cancelled")
    assert names == ["prepared", "failed IntegrationFailed"]
    await until(lambda: _was_called(courier, 2))


async def test_a_mistake_of_ours_that_stays_is_recorded_as_a_failure(
    client: Client, courier: Courier, depot: Services, clock: MovableClock
) -> None:
    courier.on_call = [mistake] * 10
    queued = await started(client, await workflow(client, Courier.STEP), to="Ana")

    found = await _ended_in_time(client, queued, depot, clock, status="failed")

    assert found["error"]["code"] == "INTERNAL_ERROR"
    assert len(courier.keys) == DEFAULT_RETRY.attempts == step_of(found, "send")["attempts"]
    assert await contact_names(client) == ["prepared", "failed IntegrationFailed"]


async def test_no_transaction_stays_open_during_the_call(
    client: Client, courier: Courier, owner: psycopg.Connection
) -> None:
    answer = asyncio.Event()
    courier.on_call = [_until_set(answer)]
    queued = await started(client, await workflow(client, Courier.STEP), to="Ana")
    await until(lambda: _was_called(courier, 1))

    names = await contact_names(client)
    open_ones = owner.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'"
    ).fetchone()
    answer.set()
    await ended(client, queued)

    assert names == ["prepared"]
    assert open_ones == (0,)


async def test_the_right_is_asked_for(client: Client, acme: Organization, courier: Courier) -> None:
    narrow = Client(client.http, acme.key("workflows:admin").headers)
    reader = await workflow(client, Courier.STEP)

    saved = await narrow.post("/v1/workflows/create", {"name": "x", "steps": [Courier.STEP]})
    executed = await narrow.post("/v1/workflows/execute", {"workflow_id": reader["id"], "input": {"to": "Ana"}})

    assert [code_of(saved), code_of(executed)] == [(403, "AUTH_INSUFFICIENT_SCOPE")] * 2
    assert courier.keys == []


async def _was_called(courier: Courier, times: int) -> bool:
    return len(courier.keys) >= times


async def _nobody_works() -> bool:
    return not any(task.get_name().startswith(TASK) for task in asyncio.all_tasks())


async def _attempts(client: Client, queued: Json, count: int) -> bool:
    return any(step["attempts"] == count for step in (await instance(client, queued))["steps"])


async def _ended_in_time(
    client: Client, queued: Json, services: Services, clock: MovableClock, *, status: str = "completed"
) -> Json:
    """The run once it has ended, with the clock moved as often as that takes."""

    async def has_ended() -> bool:
        later(services, clock, seconds=16)
        return (await instance(client, queued))["finished_at"] is not None

    await until(has_ended)
    return await ended(client, queued, status)


def _until_set(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def waiting() -> None:
        await event.wait()

    return waiting
