"""Worker processes on the tests' database, for tests to kill."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from tests.workflows import timely_worker

SERVER: Final = Path(__file__).parents[2]
LEASE_SECONDS: Final = 2


@dataclass
class Workers:
    """`bivelio-server worker`, as often as asked for."""

    environment: dict[str, str]
    clock: MovableClock
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str) -> None:
        """`command`: something else than the worker as it is."""
        command = command or self._by_the_same_clock()
        self.processes.append(subprocess.Popen(command, cwd=SERVER, env=self.environment))

    def kill(self, number: int) -> None:
        """SIGKILL; returns once it is gone."""
        self.processes[number].kill()
        self.processes[number].wait()

    def _by_the_same_clock(self) -> tuple[str, ...]:
        return (sys.executable, "-m", timely_worker.__name__, str(self.clock.ahead.total_seconds()))


@contextmanager
def workers(place: Installation, clock: MovableClock, **more: str) -> Iterator[Workers]:
    """With these and `more` settings. What still lives at the end is killed."""
    assert place.settings.secret_key is not None
    settings = {
        "BIVELIO_DATABASE_URL": place.owner_url,
        "BIVELIO_SECRET_KEY": place.settings.secret_key.get_secret_value(),
        "BIVELIO_LEASE_SECONDS": str(LEASE_SECONDS),
        "BIVELIO_WORKER_SLOTS": "4",
        "BIVELIO_LOG_LEVEL": "error",
        "PYTHONPATH": str(SERVER),
        **more,
    }
    crowd = Workers(os.environ | settings, clock)
    try:
        yield crowd
    finally:
        for number in range(len(crowd.processes)):
            crowd.kill(number)
