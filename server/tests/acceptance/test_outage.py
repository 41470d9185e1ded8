"""The database goes away for a while: callers are told to come back, and all goes on by itself."""

import asyncio
import time
from collections.abc import Iterator

import anyio
import pytest

from bivelio_server.kit.embedded_postgres import EmbeddedPostgres, libpq_url
from tests.acceptance.installation import Installation, client_of, fresh_installation
from tests.world import Client

pytestmark = pytest.mark.anyio

RECOVERED_WITHIN_SECONDS = 10


@pytest.fixture
def operators() -> Iterator[tuple[EmbeddedPostgres, Installation]]:
    """A database that the operator runs, and an installation on it."""
    with fresh_installation() as place:
        database = EmbeddedPostgres(place.folder / "operators", fsync=False)
        with database as address:
            place.environment |= {"BIVELIO_DATABASE_URL": libpq_url(address.owner_url()), "BIVELIO_LEASE_SECONDS": "3"}
            yield database, place
            place.close()


async def test_an_outage_of_the_database_is_told_and_outlived(operators: tuple[EmbeddedPostgres, Installation]) -> None:
    database, place = operators
    assert place.run("serve").returncode == 1, "an operator's own database is brought up to date by `migrate` only"
    assert place.run("migrate").returncode == 0
    key = place.provision()["keys"]["live_secret"]
    server = await place.serve()
    async with client_of(server, key) as client:
        steps = [
            {"id": "wait", "wait": {"seconds": 1}},
            {"id": "made", "uses": "contacts.create", "with": {"name": "Made after the outage"}},
        ]
        workflow = await client.call("/v1/workflows/create", {"name": "Outlives", "steps": steps})
        await client.call("/v1/workflows/execute", {"workflow_id": workflow["id"]})
        database.stop()
        alive, ready, *refused = await asyncio.gather(
            client.http.get("/livez"),
            client.http.get("/readyz"),
            *(client.post("/v1/contacts/create", {"name": "Refused"}) for _ in range(3)),
        )
        database.start()
        back = time.monotonic()
        await server.ready()
        recovered = time.monotonic() - back
        names = [contact["name"] for contact in await _contacts_once_made(client)]

    assert [reply.status_code for reply in refused] == [503] * 3
    assert all(int(reply.headers["retry-after"]) > 0 for reply in refused)
    assert all(reply.json()["error"]["code"] == "INTERNAL_ERROR" for reply in refused)
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert recovered < RECOVERED_WITHIN_SECONDS
    assert server.is_alive()
    assert names == ["Made after the outage"]


async def _contacts_once_made(client: Client) -> list[dict[str, object]]:
    with anyio.fail_after(RECOVERED_WITHIN_SECONDS):
        while True:
            contacts: list[dict[str, object]] = (await client.call("/v1/contacts"))["contacts"]
            if contacts:
                return contacts
            await anyio.sleep(0.05)
