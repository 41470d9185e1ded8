"""Following a run as it goes on."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import psycopg
import pytest
from starlette.applications import Starlette

from bivelio_server.app import HANDLERS
from bivelio_server.kit import streaming
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Context, Services
from bivelio_server.workflows import queries
from tests.following import Event, Following, following
from tests.workflows.arranging import (
    HELLO,
    Json,
    create_contact,
    instance,
    later,
    reached,
    run,
    started,
    until,
    workflow,
)
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

PATH = "/v1/workflows/watch_instance"
PAUSE: Json = {"id": "pause", "wait": {"seconds": 3600}}


@pytest.fixture
def watch(app: Starlette) -> Any:
    def watch(client: Client, run_: Json, **headers: str) -> AbstractAsyncContextManager[Following]:
        return following(app, PATH, {"instance_id": run_["instance_id"]}, {**client.headers, **headers})

    return watch


async def test_a_run_is_followed_to_its_end(
    acme: Organization, watch: Any, services: Services, clock: MovableClock, worker: None
) -> None:
    made = await workflow(acme.live, create_contact(), PAUSE, create_contact("second"))
    going = await started(acme.live, made)
    await reached(acme.live, going, "waiting")

    async with watch(acme.live, going) as reply:
        snapshot = await reply.next()
        assert snapshot is not None
        later(services, clock, hours=2)
        rest = await reply.rest()

    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
    assert (snapshot.name, snapshot.data["status"]) == ("snapshot", "waiting")
    assert steps_of([snapshot]) == [("contact", "completed"), ("pause", "waiting")]
    assert steps_of(rest) == [("pause", "completed"), ("second", "completed")]
    ended = rest[-1]
    assert (ended.name, ended.data) == ("end", await instance(acme.live, going))
    assert ended.data["status"] == "completed"


async def test_a_run_that_has_ended_is_shown_at_once(acme: Organization, watch: Any, worker: None) -> None:
    done = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")

    async with watch(acme.live, done) as reply:
        events = await reply.rest()

    assert [event.name for event in events] == ["snapshot", "end"]
    assert events[0].data == events[1].data == done


async def test_a_run_that_has_not_begun_is_waited_for(acme: Organization, watch: Any, services: Services) -> None:
    going = await started(acme.live, await workflow(acme.live, create_contact()))

    async with watch(acme.live, going) as reply:
        snapshot = await reply.next()
        assert snapshot is not None
        assert snapshot.data["steps"] == []
        async with working(services, HANDLERS):
            rest = await reply.rest()

    assert [event.name for event in rest] == ["step", "status", "end"]
    assert steps_of(rest) == [("contact", "completed")]


async def test_what_another_process_does_is_seen(acme: Organization, watch: Any, owner: psycopg.Connection) -> None:
    going = await started(acme.live, await workflow(acme.live, HELLO))

    async with watch(acme.live, going) as reply:
        await reply.until("snapshot")
        owner.execute(
            "update workflow_instances set status = 'paused', updated_at = now() where id = %s",
            (going["instance_id"],),
        )
        status = await reply.until("status")

    assert status.data["status"] == "paused"


async def test_who_lost_the_stream_is_shown_only_what_is_new(acme: Organization, watch: Any, worker: None) -> None:
    done = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")
    async with watch(acme.live, done) as reply:
        _snapshot, end = await reply.rest()

    async with watch(acme.live, done, **{"Last-Event-ID": end.id}) as reply:
        nothing_new = await reply.rest()
    async with watch(acme.live, done, **{"Last-Event-ID": str(int(end.id) - 1)}) as reply:
        something_new = await reply.rest()

    assert [event.name for event in nothing_new] == ["end"]
    assert [event.name for event in something_new] == ["snapshot", "end"]


async def test_a_stranger_follows_nothing(acme: Organization, rival: Organization, watch: Any) -> None:
    going = await started(acme.live, await workflow(acme.live, HELLO))

    async with watch(rival.live, going) as reply:
        await reply.rest()

    assert (reply.status, reply.body["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")


async def test_a_stream_ends_when_its_key_is_revoked(
    acme: Organization, watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "CHECK_SECONDS", 0.05)
    going = await started(acme.live, await workflow(acme.live, HELLO))
    made = await acme.live.call("/v1/keys/create", {"name": "Panel", "scopes": ["read"]})
    viewer = acme.world.client(made["key"])

    async with watch(viewer, going, **{"Accept-Language": "en"}) as reply:
        await reply.until("snapshot")
        await acme.live.call("/v1/keys/revoke", {"id": made["id"]})
        last = await reply.until("error")
        assert await reply.next() is None

    assert last.data["code"] == "AUTH_INVALID_TOKEN"


async def test_a_stream_ends_when_its_session_does(
    acme: Organization, watch: Any, monkeypatch: pytest.MonkeyPatch, owner: psycopg.Connection
) -> None:
    monkeypatch.setattr(streaming, "CHECK_SECONDS", 0.05)
    going = await started(acme.live, await workflow(acme.live, HELLO))
    ana = acme.person("viewer")

    async with watch(ana, going) as reply:
        await reply.until("snapshot")
        owner.execute("update sign_in_sessions set ended_at = now() where id = %s", (ana.session_id,))
        last = await reply.until("error")

    assert last.data["code"] == "AUTH_INVALID_TOKEN"


async def test_an_organisation_may_not_open_any_number_of_streams(
    acme: Organization, watch: Any, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.streams, "_per_organization", 1)
    going = await started(acme.live, await workflow(acme.live, HELLO))

    async with watch(acme.live, going) as first:
        await first.until("snapshot")
        async with watch(acme.live, going) as second:
            await second.rest()
    async with watch(acme.live, going) as third:
        await third.until("snapshot")

    assert (second.status, second.body["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert second.headers["retry-after"] == "2"


async def test_nothing_is_left_of_those_who_went_away(
    acme: Organization, watch: Any, services: Services, installation: Any
) -> None:
    going = await started(acme.live, await workflow(acme.live, HELLO))
    before = len(services.streams)

    for _ in range(20):
        async with watch(acme.live, going) as reply:
            await reply.until("snapshot")

    async def rests() -> bool:
        return not [task for task in asyncio.all_tasks() if task.get_name() == "watches"]

    await until(rests)
    assert len(services.streams) == before
    assert all(pool.in_use == 0 for pool in services.database.pools())


async def test_many_who_begin_to_watch_at_once_leave_connections_to_others(
    acme: Organization, watch: Any, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = await started(acme.live, await workflow(acme.live, HELLO))
    may_look, step_marks = asyncio.Event(), queries.step_marks

    async def slow_marks(context: Context, instance_id: str) -> dict[str, Any]:
        await may_look.wait()
        return await step_marks(context, instance_id)

    monkeypatch.setattr(queries, "step_marks", slow_marks)
    [pool, _] = services.database.pools()

    async def all_began() -> bool:
        return all(reply.status for reply in many)

    async with AsyncExitStack() as stack:
        many = [await stack.enter_async_context(watch(acme.live, going)) for _ in range(2 * pool.size)]
        stack.callback(may_look.set)
        await until(all_began)
        assert {reply.status for reply in many} == {200}
        meanwhile = await instance(acme.live, going)
        may_look.set()
        snapshots = [(await reply.until("snapshot")).data for reply in many]

    assert snapshots == [meanwhile] * len(many)


async def test_a_followed_run_is_in_the_request_log(acme: Organization, watch: Any) -> None:
    going = await started(acme.live, await workflow(acme.live, HELLO))
    async with watch(acme.live, going) as reply:
        await reply.until("snapshot")

    async def is_logged() -> bool:
        page = await acme.live.call("/v1/requests/list", {"operation": "workflows.watch_instance"})
        return [found["status"] for found in page["requests"]] == [200]

    await until(is_logged)


def steps_of(events: list[Event]) -> list[tuple[str, str]]:
    """Id and status of the steps in these events, each as it was last told."""
    told: dict[str, str] = {}
    for event in events:
        steps = event.data["steps"] if event.name == "snapshot" else [event.data] if event.name == "step" else []
        told.update({step["step_id"]: step["status"] for step in steps})
    return list(told.items())
