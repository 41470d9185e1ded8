"""Five-step runs a second by 1, 2 and 4 worker processes, and the CPU that one takes."""

import time

import psycopg
from place import Place, spent
from queueing import queue, unfinished
from workflows import PURE, create

from bivelio_server.installation import Installation

RUNS = 1500


def measure(here: Place, installation: Installation) -> None:
    print(f"\n{RUNS} queued five-step runs (set, if, set, set, set), worker processes alone")
    template = str(
        here.call("/v1/workflows/execute", {
            "workflow_id": create(here, "queued", PURE), "input": {"n": 1}, "async": False
        })["instance_id"]
    )  # fmt: skip
    here.stop()
    with psycopg.connect(installation.owner_url, autocommit=True) as connection:
        for processes in (1, 2, 4):
            _measure(here, installation, connection, template, processes)
    here.start()


def _measure(
    here: Place, installation: Installation, connection: psycopg.Connection, template: str, processes: int
) -> None:
    with here.workers(processes), spent(here) as cpu:
        queue(installation, template, RUNS)
        began = time.perf_counter()
        while unfinished(connection):
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    print(
        f"  {processes} worker processes            {RUNS / seconds:8.0f} runs/s"
        f"   CPU a run {1000 * cpu['all'] / RUNS:.2f} ms"
        f" (workers {1000 * cpu['workers'] / RUNS:.2f}, PostgreSQL {1000 * cpu['postgres'] / RUNS:.2f})"
    )
