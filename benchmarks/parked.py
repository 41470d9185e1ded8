"""What 10 000 runs cost that wait for somebody's approval."""

import time
from typing import Any

import psycopg
from load import percentile
from place import Place
from queueing import queue, unfinished
from workflows import create

from bivelio_server.installation import Installation

PARKED = 10_000
SECONDS = 10
DECIDED = 30
STEPS: list[dict[str, Any]] = [
    {"id": "asked", "approval": {"title": "¿Enviar la factura {{ input.n }}?"}},
    {"id": "answer", "set": {"answer": "{{ steps.asked.output.decision }}"}},
]


def measure(here: Place, installation: Installation) -> None:
    print(f"\n{PARKED} runs that wait for an approval")
    template = here.call("/v1/workflows/execute", {"workflow_id": create(here, "parked", STEPS), "input": {"n": 1}})
    with psycopg.connect(installation.owner_url, autocommit=True) as connection:
        memory, size = here.memory(), _size(connection)
        began = time.perf_counter()
        queue(installation, str(template["instance_id"]), PARKED)
        while unfinished(connection):
            time.sleep(0.1)
        print(f"  until all are parked          {PARKED / (time.perf_counter() - began):8.0f} runs/s")
        time.sleep(5)
        more, bigger = here.memory(), _size(connection)
        print(
            f"  memory (PSS)                  server {more['server'] - memory['server']:+.0f} MB,"
            f" PostgreSQL {more['postgres'] - memory['postgres']:+.0f} MB"
        )
        print(
            f"  database                      {(bigger - size) / 1e6:+.0f} MB, {(bigger - size) / PARKED:.0f} bytes a run"
        )
    before = here.cpu()
    time.sleep(SECONDS)
    cpu = {name: seconds - before[name] for name, seconds in here.cpu().items()}
    print(
        f"  CPU in {SECONDS} s                   server {100 * cpu['server'] / SECONDS:.1f} %,"
        f" PostgreSQL {100 * cpu['postgres'] / SECONDS:.1f} %"
    )
    waits = sorted(_decide(here) for _ in range(DECIDED))
    print(f"  decide -> run ended           p50 {percentile(waits, 0.5):.1f} ms   p99 {percentile(waits, 0.99):.1f} ms")


def _size(connection: psycopg.Connection) -> int:
    row = connection.execute("select pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def _decide(here: Place) -> float:
    """Milliseconds until the run that waited for it has ended."""
    approval = here.call("/v1/workflows/list_approvals", {"status": "pending", "per_page": 1})["approvals"][0]
    began = time.perf_counter()
    here.call("/v1/workflows/decide", {"approval_id": approval["approval_id"], "decision": "approve"})
    while here.call("/v1/workflows/get_instance", {"instance_id": approval["instance_id"]})["finished_at"] is None:
        time.sleep(0.001)
    return (time.perf_counter() - began) * 1000
