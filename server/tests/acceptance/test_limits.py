"""A limit counts for all servers together, and goes on counting after any of them, or the database, has died."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import httpx2
import psycopg
import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, Process, client_of, free_port, until

pytestmark = pytest.mark.anyio

LIMIT = 100
CLIENTS = 4
OVERLOAD = 10
MOST = LIMIT * 1.01
#: What PostgreSQL has not yet written when it is killed is forgotten; it writes three times a second.
MOMENT_SECONDS = 1.0


@dataclass
class Tally:
    """What the clients saw: replies by status, and what came in by the end of its minute."""

    statuses: Counter[int] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.statuses.total() + self.unanswered

    def note(self, reply: httpx2.Response) -> None:
        self.statuses[reply.status_code] += 1
        if reply.status_code == 503:
            return
        names = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
        limit, remaining, reset = (reply.headers.get(name, "") for name in names)
        if (limit, remaining.isdigit(), reset.isdigit()) != (str(LIMIT), True, True):
            self.complaints.append(str(reply.headers))
        if reply.status_code == 200:
            self.accepted[reset] += 1
        elif (reply.status_code, remaining) != (429, "0") or not 1 <= int(reply.headers["retry-after"]) <= 60:
            self.complaints.append(f"{reply.status_code} {reply.headers}")


@pytest.fixture
async def limited(place: Installation, template: Template) -> list[Process]:
    """Two servers of an organisation that may ask LIMIT times a minute."""
    servers = [await place.serve(free_port()) for _ in range(2)]
    with psycopg.connect(place.database(), autocommit=True) as database:
        database.execute("update organizations set requests_per_minute = %s", (LIMIT,))
    return servers


async def test_four_clients_of_two_servers_get_no_more_than_the_limit(
    limited: list[Process], template: Template
) -> None:
    tally = Tally()

    await overload(limited, template.live_key, tally)

    assert tally.complaints == []
    assert tally.unanswered == 0
    assert set(tally.statuses) == {200, 429}
    assert max(tally.accepted.values()) <= MOST
    assert max(tally.accepted.values()) >= LIMIT


async def test_a_killed_server_forgets_nothing(place: Installation, limited: list[Process], template: Template) -> None:
    tally = Tally()

    async def kill() -> None:
        await until(lambda: tally.statuses[200] >= LIMIT // 2)
        limited[0].kill()
        await place.serve(int(limited[0].address.rpartition(":")[2]))

    await overload(limited, template.live_key, tally, kill)

    assert tally.complaints == []
    assert max(tally.accepted.values()) <= MOST


async def test_a_killed_database_forgets_a_moment_at_most(
    place: Installation, limited: list[Process], template: Template
) -> None:
    before, after = Tally(), Tally()
    await ask(limited[0], template.live_key, before, LIMIT // 2)
    await anyio.sleep(MOMENT_SECONDS)
    place.kill_database()
    for server in limited:
        await server.ready()

    await overload(limited, template.live_key, after)

    assert before.complaints + after.complaints == []
    assert max((before.accepted + after.accepted).values()) <= MOST


async def overload(
    servers: list[Process], key: str, tally: Tally, meanwhile: Callable[[], Awaitable[None]] | None = None
) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(CLIENTS):
            tasks.start_soon(ask, servers[number % len(servers)], key, tally, LIMIT * OVERLOAD // CLIENTS)
        if meanwhile is not None:
            tasks.start_soon(meanwhile)


async def ask(server: Process, key: str, tally: Tally, times: int) -> None:
    async with client_of(server, key) as client:
        for _ in range(times):
            try:
                tally.note(await client.post("/v1/contacts"))
            except httpx2.TransportError:
                tally.unanswered += 1
                await anyio.sleep(0.05)
