"""Stopping in good order: nobody who was let in leaves without a reply."""

import itertools
import time
from collections import Counter
from collections.abc import Callable

import anyio
import httpx2
import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, Process, all_of, client_of, free_port, until

pytestmark = pytest.mark.anyio

STOPS = 10
CLIENTS = 8
REPLIES = 24
LONGEST_STOP_SECONDS = 12


async def test_stopping_under_load_drops_no_reply(place: Installation, template: Template) -> None:
    port = free_port()
    outcomes: Counter[str] = Counter()
    answered: set[str] = set()
    for stop in range(STOPS):
        server = await place.serve(port)
        async with anyio.create_task_group() as tasks:
            for number in range(CLIENTS):
                name = f"{stop}-{number}"
                tasks.start_soon(_create_until_refused, server, template.live_key, name, outcomes, answered)
            await until(_has_reached(answered, len(answered) + REPLIES))
            server.terminate()
            began = time.monotonic()
            assert await server.ended() == 0
            assert time.monotonic() - began <= LONGEST_STOP_SECONDS
        assert place.postmaster() is None
    server = await place.serve(port)
    async with client_of(server, template.live_key) as client:
        stored = {contact["name"] for contact in await all_of(client, "/v1/contacts", "contacts")}

    assert outcomes == {"200": len(answered), "refused": STOPS * CLIENTS}
    assert stored == answered


def _has_reached(answered: set[str], number: int) -> Callable[[], bool]:
    return lambda: len(answered) >= number


async def _create_until_refused(
    server: Process, key: str, name: str, outcomes: Counter[str], answered: set[str]
) -> None:
    async with client_of(server, key) as client:
        for number in itertools.count():
            try:
                reply = await client.post("/v1/contacts/create", {"name": f"{name}-{number}"})
            except httpx2.ConnectError:
                outcomes["refused"] += 1
                return
            except httpx2.TransportError as error:
                outcomes[repr(error)] += 1
                return
            outcomes[str(reply.status_code)] += 1
            if reply.status_code == 200:
                answered.add(f"{name}-{number}")
