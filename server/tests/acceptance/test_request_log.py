"""Two servers on one database: every request is counted, once, also those of the last moment."""

import anyio
import psycopg
import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, client_of

pytestmark = pytest.mark.anyio

REQUESTS = 60


async def test_servers_that_stop_have_logged_and_counted_every_request(place: Installation, template: Template) -> None:
    servers = place.start_server(), place.start_server()
    witness = place.start_server()
    for server in (*servers, witness):
        await server.ready()

    async def ask(number: int) -> None:
        async with client_of(servers[number % 2], template.live_key) as client:
            await client.call("/v1/contacts")

    for first in range(0, REQUESTS, 10):
        async with anyio.create_task_group() as tasks:
            for number in range(first, first + 10):
                tasks.start_soon(ask, number)
    for server in servers:
        server.terminate()
    assert [await server.ended() for server in servers] == [0, 0]

    with psycopg.connect(place.database()) as database:
        logged = database.execute("select count(*) from request_log where operation = 'contacts.list'").fetchone()
        counted = database.execute("select sum(requests) from usage_daily where operation = 'contacts.list'").fetchone()
    assert logged == counted == (REQUESTS,)
