"""Workers that are killed in the middle of deliveries lose nothing."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from bivelio_server.installation import Installation
from tests.conftest import SECRET_KEY
from tests.webhooks.desk import Desk, create_contact
from tests.webhooks.receiver import Received, receiving
from tests.webhooks.waiting import until
from tests.world import Organization

pytestmark = pytest.mark.anyio

MESSAGES = 60
SERVER = Path(__file__).parents[2]


@pytest.fixture
def start_worker(installation: Installation) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Starts worker processes with short leases; what still lives at the end is killed."""
    environment = os.environ | {
        "BIVELIO_DATABASE_URL": installation.owner_url,
        "BIVELIO_SECRET_KEY": SECRET_KEY,
        "BIVELIO_PRIVATE_NETWORKS": "127.0.0.0/8",
        "BIVELIO_LEASE_SECONDS": "2",
        "BIVELIO_LOG_LEVEL": "error",
        "PYTHONPATH": str(SERVER),
    }
    command = [sys.executable, "-m", "bivelio_server", "worker"]
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        processes.append(subprocess.Popen(command, cwd=SERVER, env=environment))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


async def test_a_killed_worker_loses_no_message(
    acme: Organization, desk: Desk, owner: psycopg.Connection, start_worker: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    async def take_a_moment(_request: Received) -> int:
        await asyncio.sleep(0.05)
        return 200

    async with receiving(take_a_moment) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        for number in range(MESSAGES):
            await create_contact(acme.live, str(number))
        # The other process goes by the real time, which the tests' clock may have left.
        owner.execute("update webhook_deliveries set next_attempt_at = now() where webhook_id = %s", (endpoint.id,))
        worker = start_worker()
        for part in (1, 2):
            await receiver.until(lambda _, part=part: len(receiver.ids()) >= part * 15)
            worker.kill()
            worker = start_worker()
        await until(lambda: {status for status, _ in endpoint.deliveries()} == {"delivered"}, 30)

    by_id = {request.id: request.message["data"]["name"] for request in receiver.requests}
    assert sorted(by_id.values(), key=int) == [str(number) for number in range(MESSAGES)]
    assert ("interrupted", None, None) in endpoint.outcomes()
