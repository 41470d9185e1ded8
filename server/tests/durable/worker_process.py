"""A worker process for tests to kill: `python -m tests.durable.worker_process`, database in BENCH_URL."""

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import Any, cast

from bivelio_server.durable import Worker
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Database
from bivelio_server.kit.wakeups import Wakeups
from bivelio_server.settings import Settings
from tests.durable.workshop import LEASE_SECONDS, PARCELS, five_steps


@dataclass
class _Services:
    settings: Settings
    database: Database
    wakeups: Wakeups
    clock: Clock


async def main() -> None:
    url = os.environ["BENCH_URL"]
    settings = Settings(lease_seconds=LEASE_SECONDS, worker_slots=4)
    services = cast("Services", cast("Any", _Services(settings, Database(url, pool_size=4), Wakeups(url), Clock())))
    await services.database.open()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    wakeups = asyncio.create_task(services.wakeups.run())
    await Worker(services, {"five": five_steps}, [PARCELS]).run(stop)
    wakeups.cancel()
    await services.database.close()


if __name__ == "__main__":
    asyncio.run(main())
