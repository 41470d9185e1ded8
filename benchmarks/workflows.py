"""Five-step workflows: runs a second, what one costs, and how fast an idle server begins."""

import asyncio
from typing import Any

import psycopg
from load import drive, percentile, request
from place import Place, spent

from bivelio_server.installation import Installation

SECONDS = 8.0
PURE = [
    {"id": "one", "set": {"n": "{{ input.n + 1 }}"}},
    {"id": "two", "if": "{{ steps.one.output.n > 0 }}", "then": [], "else": []},
    {"id": "three", "set": {"text": "run {{ steps.one.output.n }}"}},
    {"id": "four", "set": {"n": "{{ steps.one.output.n * 2 }}"}},
    {"id": "five", "set": {"done": True, "n": "{{ steps.four.output.n }}"}},
]
SHORT = [
    {"id": "contact", "uses": "contacts.create", "with": {"name": "Paso {{ input.n }}"}},
    {"id": "many", "if": "{{ input.n > 10 }}", "then": [], "else": []},
    {"id": "said", "set": {"text": "{{ steps.contact.output.name }}"}},
]
EFFECTS = [
    {"id": f"contact_{number}", "uses": "contacts.create", "with": {"name": "Paso {{ input.n }}"}}
    for number in range(5)
]


async def measure(here: Place, installation: Installation) -> None:
    print("\nfive-step workflow (set, if, set, set, set), async: false, 8 connections")
    await _throughput(here, create(here, "pure", PURE), 8)
    print("\nfive-step workflow of five contacts.create, async: false, 8 connections")
    await _throughput(here, create(here, "effects", EFFECTS), 8)
    print("\nthree-step workflow (contacts.create, if, set), async: false, one after another")
    await _throughput(here, create(here, "short", SHORT), 1)
    print("\nidle server: execute -> first step")
    await _first_step(here, installation, create(here, "first", PURE))


async def _throughput(here: Place, workflow_id: str, connections: int) -> None:
    def make(number: int) -> bytes:
        return request(
            "/v1/workflows/execute", here.key, {"workflow_id": workflow_id, "input": {"n": number}, "async": False}
        )

    with spent(here) as cpu:
        load = await drive(here.port, make, connections=connections, seconds=SECONDS)
    runs = load.requests * 1.2
    print(f"  runs                          {load}")
    print(
        f"    CPU a run: {1000 * cpu['all'] / runs:.2f} ms"
        f" (server {1000 * cpu['server'] / runs:.2f}, PostgreSQL {1000 * cpu['postgres'] / runs:.2f})"
    )


async def _first_step(here: Place, installation: Installation, workflow_id: str) -> None:
    """From the instance's `started_at` to its first step's, by the server's clock; read from the database."""
    for number in range(80):
        await asyncio.sleep(0.05)
        await asyncio.to_thread(
            here.call, "/v1/workflows/execute", {"workflow_id": workflow_id, "input": {"n": number}, "async": False}
        )
    with psycopg.connect(installation.owner_url) as connection:
        rows = connection.execute(
            "select extract(epoch from s.started_at - i.started_at) * 1000, i.duration"
            " from (select *, extract(epoch from finished_at - started_at) * 1000 as duration from workflow_instances) i"
            " join workflow_steps s on (s.org_id, s.environment, s.instance_id) = (i.org_id, i.environment, i.id)"
            " where i.workflow_id = %s and s.position = 1",
            (workflow_id,),
        ).fetchall()
    for name, column in (("first step", 0), ("whole run", 1)):
        waits = sorted(float(row[column]) for row in rows)
        print(
            f"  execute -> {name:10}         p50 {percentile(waits, 0.5):.1f} ms   p99 {percentile(waits, 0.99):.1f} ms"
        )


def create(here: Place, name: str, steps: list[dict[str, Any]]) -> str:
    return str(here.call("/v1/workflows/create", {"name": name, "steps": steps})["id"])
