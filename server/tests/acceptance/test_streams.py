"""Streams of events over real sockets: they come at once, end in good order, and leave nothing behind."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import NO_AUTHORITIES, Installation, Reachable, client_of
from tests.world import Client

pytestmark = pytest.mark.anyio

WATCH = "/v1/workflows/watch_instance"
SEEN_WITHIN_SECONDS = 3
LONGEST_STOP_SECONDS = 12


class Follower:
    """A reply that is read as it comes."""

    def __init__(self, reply: httpx2.Response) -> None:
        self._lines = reply.aiter_lines()
        self.last_event_id: str | None = None

    async def next(self) -> tuple[str, Any] | None:
        """Name and data of the next event; None at the end."""
        found: dict[str, str] = {}
        async for line in self._lines:
            if not line and "event" in found:
                self.last_event_id = found.get("id", self.last_event_id)
                return found["event"], json.loads(found["data"])
            name, _, value = line.partition(": ")
            found[name] = value
        return None

    async def until(self, name: str) -> Any:
        while (event := await self.next()) is not None:
            if event[0] == name:
                return event[1]
        raise AssertionError(f"the stream ended without {name}")


@asynccontextmanager
async def following(server: Reachable, key: str, run: Any, **headers: str) -> AsyncIterator[Follower]:
    async with httpx2.AsyncClient(base_url=server.address, timeout=30, trust_env=False, verify=NO_AUTHORITIES) as http:
        body = {"data": {"instance_id": run["instance_id"]}}
        async with http.stream("POST", WATCH, json=body, headers={"X-API-Key": key, **headers}) as reply:
            assert reply.status_code == 200
            yield Follower(reply)


async def waiting(client: Client) -> Any:
    """A run that somebody has to approve."""
    steps = [
        {"id": "ok", "approval": {"title": "Gasto"}},
        {"id": "b", "uses": "contacts.create", "with": {"name": "B"}},
    ]
    made = await client.call("/v1/workflows/create", {"name": "Pasos", "steps": steps})
    return await client.call("/v1/workflows/execute", {"workflow_id": made["id"]})


async def approve(client: Client, run: Any) -> None:
    found: list[Any] = []
    while not found:
        page = await client.call("/v1/workflows/list_approvals", {"instance_id": run["instance_id"]})
        found = page["approvals"]
    await client.call("/v1/workflows/decide", {"approval_id": found[0]["approval_id"], "decision": "approve"})


async def test_a_run_is_followed_at_any_server_whoever_works_on_it(place: Installation, template: Template) -> None:
    servers = place.start_server(), place.start_server()
    for server in servers:
        await server.ready()
    async with client_of(servers[0], template.live_key) as client:
        run = await waiting(client)
        async with (
            following(servers[0], template.live_key, run) as here,
            following(servers[1], template.live_key, run) as there,
        ):
            await here.until("snapshot")
            await there.until("snapshot")
            await approve(client, run)
            decided = time.monotonic()
            ends = [await here.until("end"), await there.until("end")]
            assert time.monotonic() - decided < SEEN_WITHIN_SECONDS
            assert await here.next() is None

    assert [end["status"] for end in ends] == ["completed", "completed"]


async def test_a_server_that_stops_ends_its_streams_and_another_one_goes_on(
    place: Installation, template: Template
) -> None:
    servers = place.start_server(), place.start_server()
    for server in servers:
        await server.ready()
    async with client_of(servers[1], template.live_key) as client:
        run = await waiting(client)
        async with following(servers[0], template.live_key, run) as first:
            await first.until("snapshot")
            servers[0].terminate()
            began = time.monotonic()
            last = await first.until("reconnect")
            assert await first.next() is None
        assert await servers[0].ended() == 0
        stopped_in = time.monotonic() - began
        again = {"Last-Event-ID": first.last_event_id or ""}
        async with following(servers[1], template.live_key, run, **again) as second:
            await approve(client, run)
            end = await second.until("end")

    assert last == {"reason": "stopping"}
    assert stopped_in <= LONGEST_STOP_SECONDS
    assert end["status"] == "completed"
    assert "reply_interrupted" not in servers[0].output()


async def test_clients_who_went_away_leave_nothing_behind(place: Installation, template: Template) -> None:
    server = await place.serve()
    async with client_of(server, template.live_key) as client:
        run = await waiting(client)
        for _ in range(20):
            async with following(server, template.live_key, run) as follower:
                await follower.until("snapshot")
        with anyio.fail_after(SEEN_WITHIN_SECONDS):
            while await _open_streams(client) != 0:  # noqa: ASYNC110 - no event of ours tells of another process
                await anyio.sleep(0.02)
        await approve(client, run)

    assert "reply_interrupted" not in server.output()
    assert "request_failed" not in server.output()


async def _open_streams(client: Client) -> float:
    figures = (await client.http.get("/metrics")).text
    [line] = [line for line in figures.splitlines() if line.startswith("bivelio_streams_open ")]
    return float(line.split()[1])
