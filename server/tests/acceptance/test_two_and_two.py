"""A PostgreSQL of the operator, two servers and two workers behind one address: together they are one."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
import psycopg
import pytest

from bivelio_server.kit.embedded_postgres import EmbeddedPostgres, libpq_url
from tests.acceptance.balancer import Balancer, balancing
from tests.acceptance.installation import Installation, Process, all_of, client_of, free_port, fresh_installation, until
from tests.world import Client

pytestmark = pytest.mark.anyio

EFFECTIVE_WITHIN_SECONDS = 1
CLIENTS = 4
PAUSE_SECONDS = 0.02
PER_MINUTE = 60


@pytest.fixture
def operators() -> Iterator[Installation]:
    """An installation on a database that somebody else runs, whose owner is no superuser."""
    with fresh_installation() as place, EmbeddedPostgres(place.folder / "operators", fsync=False) as address:
        with psycopg.connect(libpq_url(address.superuser_url()), autocommit=True) as connection:
            connection.execute("create role dba login createrole nosuperuser password 'operators'")
            connection.execute('create database "la-empresa" owner dba')
        place.environment |= {
            "BIVELIO_DATABASE_URL": libpq_url(address.url("dba", "operators", "la-empresa")),
            "BIVELIO_SECRET_KEY": "k" * 48,
            "BIVELIO_LEASE_SECONDS": "3",
            "BIVELIO_DRAIN_SECONDS": "1",
            "BIVELIO_DATABASE_POOL": "6",
            "BIVELIO_WORKER_SLOTS": "4",
        }
        assert place.run("migrate").returncode == 0
        yield place
        place.close()


@dataclass
class Fleet:
    place: Installation
    ports: list[int]
    balancer: Balancer
    servers: dict[int, Process] = field(default_factory=dict)
    workers: list[Process] = field(default_factory=list)

    async def start(self) -> None:
        for port in self.ports:
            self.servers[port] = self.place.start_server(port)
        self.workers = [self.place.start("worker") for _ in range(2)]
        await until(lambda: self.balancer.ready == set(self.ports), 60)

    async def restart_server(self, port: int) -> None:
        """As an operator does: stop it, wait until it is gone, start it, wait until it is ready."""
        self.servers[port].terminate()
        assert await self.servers[port].ended() == 0
        self.servers[port] = self.place.start_server(port)
        await until(lambda: port in self.balancer.ready, 60)

    async def restart_worker(self, number: int) -> None:
        self.workers[number].terminate()
        assert await self.workers[number].ended() == 0
        self.workers[number] = self.place.start("worker")


@asynccontextmanager
async def fleet(place: Installation) -> AsyncIterator[Fleet]:
    ports = [free_port(), free_port()]
    async with balancing(ports) as balancer:
        together = Fleet(place, ports, balancer)
        await together.start()
        yield together


@asynccontextmanager
async def behind(balancer: Balancer, key: str) -> AsyncIterator[Client]:
    async with client_of(balancer, key) as client:
        yield client


async def test_a_rolling_restart_fails_no_request(operators: Installation) -> None:
    key = operators.provision()["keys"]["live_secret"]
    outcomes: Counter[str] = Counter()
    async with fleet(operators) as together:
        async with behind(together.balancer, key) as client:
            steps = [{"id": "made", "uses": "contacts.create", "with": {"name": "by a run"}}]
            workflow = await client.call("/v1/workflows/create", {"name": "Run", "steps": steps})
        async with anyio.create_task_group() as traffic:
            for number in range(CLIENTS):
                traffic.start_soon(_use, together.balancer, key, f"{number}", workflow["id"], outcomes)
            for number, port in enumerate(together.ports):
                await together.restart_server(port)
                await together.restart_worker(number)
            traffic.cancel_scope.cancel()
        async with behind(together.balancer, key) as client:
            contacts = await _once_all_ran(client, outcomes["run"])
        shares = together.balancer.shares

    assert set(outcomes) == {"200", "run"}, outcomes
    assert outcomes["200"] > 100
    assert together.balancer.without_backend == 0
    assert min(shares.values()) > 20
    assert len(set(contacts)) == len(contacts) == outcomes["200"]


async def _use(balancer: Balancer, key: str, name: str, workflow_id: str, outcomes: Counter[str]) -> None:
    """Every request makes one contact, by itself or by a run."""
    async with behind(balancer, key) as client:
        for number in itertools.count():
            await anyio.sleep(PAUSE_SECONDS)
            with anyio.CancelScope(shield=True):
                if number % 5 == 0:
                    reply = await client.post("/v1/workflows/execute", {"workflow_id": workflow_id})
                    outcomes["run"] += 1
                else:
                    reply = await client.post("/v1/contacts/create", {"name": f"{name}-{number}"})
                outcomes[f"{reply.status_code}"] += 1


async def _once_all_ran(client: Client, runs: int) -> list[str]:
    with anyio.fail_after(60):
        while True:
            contacts = await all_of(client, "/v1/contacts", "contacts")
            if sum(contact["name"] == "by a run" for contact in contacts) >= runs:
                return [contact["id"] for contact in contacts]
            await anyio.sleep(0.2)


async def test_limits_idempotency_and_revocation_are_of_all_together(operators: Installation) -> None:
    key = operators.provision()["keys"]["live_secret"]
    limited = operators.run(
        *("provision", "--organization", "Limited", "--plan", "pro"),
        *("--email", "limited@example.com", "--password", "a long enough password"),
    )
    assert limited.returncode == 0
    with psycopg.connect(operators.environment["BIVELIO_DATABASE_URL"], autocommit=True) as owner:
        owner.execute(
            "update organizations set requests_per_minute = %s, requests_per_second = 1000 where name = 'Limited'",
            (PER_MINUTE,),
        )
    async with fleet(operators) as together, behind(together.balancer, key) as client:
        replies = await _the_same_at_once(client)
        refused_after = await _revoke(client, together)
        allowed = await _more_than_allowed(together, _live_key(limited.stdout))

    assert {reply[0] for reply in replies} <= {200, 409}
    assert len({reply[1] for reply in replies if reply[0] == 200}) == 1
    assert refused_after < EFFECTIVE_WITHIN_SECONDS
    assert allowed == PER_MINUTE


async def _the_same_at_once(client: Client) -> list[tuple[int, str]]:
    """One key, forty requests over both servers: a status and the contact made, each."""

    async def ask() -> tuple[int, str]:
        reply = await client.http.post(
            "/v1/contacts/create", json={"data": {"name": "Once"}}, headers={**client.headers, "Idempotency-Key": "one"}
        )
        return reply.status_code, reply.json().get("data", {}).get("id", "")

    replies = await asyncio.gather(*(ask() for _ in range(40)))
    made = await all_of(client, "/v1/contacts", "contacts")
    assert [contact["name"] for contact in made] == ["Once"]
    return replies


async def _revoke(client: Client, together: Fleet) -> float:
    """Seconds until no server takes the key any more."""
    made = await client.call("/v1/keys/create", {"name": "Soon revoked", "scopes": ["read"]})
    await client.call("/v1/keys/revoke", {"id": made["id"]})
    revoked = time.monotonic()
    for server in together.servers.values():
        async with client_of(server, made["key"]) as there:
            while (await there.post("/v1/contacts")).status_code != 401:
                assert time.monotonic() - revoked < EFFECTIVE_WITHIN_SECONDS
    return time.monotonic() - revoked


async def _more_than_allowed(together: Fleet, key: str) -> int:
    """How many of twice the limit's requests were let in, within one window."""
    async with behind(together.balancer, key) as client:
        replies = await asyncio.gather(*(client.post("/v1/contacts") for _ in range(2 * PER_MINUTE)))
    return sum(reply.status_code == 200 for reply in replies)


def _live_key(printed: str) -> str:
    key: str = json.loads(printed)["keys"]["live_secret"]
    return key
