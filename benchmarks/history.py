"""What history costs: five-step runs beside 10³ to 10⁶ runs that have ended, and the room that these take and give back.

    python benchmarks/history.py 1000 10000 100000 1000000

`make bench` goes to 10⁵; filling the database with 10⁶ runs alone takes some minutes.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from load import Load, drive, request
from place import Place, place, spent

from bivelio_server.installation import Installation, installation
from bivelio_server.settings import Settings

SIZES = (1_000, 10_000, 100_000)
ROUNDS = 3
SECONDS = 4.0
CONNECTIONS = 4
STEPS: list[dict[str, Any]] = [
    {"id": "one", "set": {"n": "{{ input.n + 1 }}"}},
    {"id": "two", "if": "{{ steps.one.output.n > 0 }}", "then": [], "else": []},
    {"id": "three", "set": {"text": "run {{ steps.one.output.n }}"}},
    {"id": "four", "uses": "contacts.create", "with": {"name": "Paso {{ input.n }}"}},
    {"id": "five", "set": {"done": True, "n": "{{ steps.one.output.n }}"}},
]
TABLES = ("workflow_instances", "workflow_steps", "absurd.t_work", "absurd.r_work")
_BATCH = 50_000
#: Of a run as it is when it has ended: some 2 kB with its steps.
_RUNS = """
    insert into workflow_instances (org_id, environment, id, workflow_id, version, status, current_step, total_steps,
                                    input, output, depth, started_by, started_at, updated_at, finished_at)
    select w.org_id, w.environment, 'wfi_' || lpad(to_hex(n), 26, '0'), w.id, w.version, 'completed', 5, 5,
           jsonb_build_object('n', n, 'client', 'Cliente ' || n), jsonb_build_object('done', true, 'n', n), 0,
           'key:key_bench', at, at, at + interval '40 ms'
      from workflows w
     cross join lateral (
        select n, now() - interval '90 days' * (1 - n::float / %(most)s::float) as at
          from generate_series(%(first)s::int, %(last)s::int) n) runs
     where w.id = %(workflow_id)s
"""
_STEPS = """
    insert into workflow_steps (org_id, environment, instance_id, path, step_id, position, uses, status, attempts, input,
                                output, started_at, finished_at)
    select i.org_id, i.environment, i.id, step.id, step.id, step.position, step.uses, 'completed', 1,
           jsonb_build_object('name', 'Paso ' || step.position, 'of', i.id),
           jsonb_build_object('id', 'ct_' || substr(i.id, 5), 'name', 'Paso ' || step.position, 'n', i.input -> 'n'),
           i.started_at, i.finished_at
      from workflow_instances i
     cross join (values ('one', 1, 'set'), ('two', 2, 'if'), ('three', 3, 'set'), ('four', 4, 'contacts.create'),
                        ('five', 5, 'set')) step (id, position, uses)
     where i.workflow_id = %(workflow_id)s and i.id between 'wfi_' || lpad(to_hex(%(first)s::int), 26, '0')
                                                        and 'wfi_' || lpad(to_hex(%(last)s::int), 26, '0')
     order by i.id, step.position
"""


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    with place() as here, installation(Settings(data_dir=here.data_dir)) as installed:
        asyncio.run(measure(here, installed, sizes))


async def measure(here: Place, installation: Installation, sizes: Sequence[int] = SIZES) -> None:
    """Prints what a run costs at each size of the history, and what becomes of the room that history takes."""
    past, present = _workflow(here, "Past"), _workflow(here, "Present")
    with _owner(installation) as owner:
        # The hourly pruning must not take the history away while it is measured.
        owner.execute('update organizations set retention = retention || \'{"runs_days": null, "runs_kept": null}\'')
        await asyncio.to_thread(_cost_of_space, owner, past)
        print(
            f"\nfive-step runs (one of them contacts.create), {CONNECTIONS} connections, beside so many that have ended"
        )
        for size in sizes:
            seconds = await asyncio.to_thread(fill, owner, past, size, most=max(sizes))
            await _cost_of_runs(here, present, size, seconds)
        await asyncio.to_thread(clear, owner)


def fill(owner: psycopg.Connection, workflow_id: str, size: int, *, most: int) -> float:
    """Have that many ended runs of the workflow, spread over the last 90 days of `most`; how long it took."""
    began = time.perf_counter()
    row = owner.execute("select count(*) from workflow_instances where workflow_id = %s", (workflow_id,)).fetchone()
    assert row is not None
    for first in range(row[0] + 1, size + 1, _BATCH):
        add(owner, workflow_id, first, min(first + _BATCH - 1, size), most=most)
    owner.execute("vacuum (analyze) workflow_instances, workflow_steps")
    return time.perf_counter() - began


def add(owner: psycopg.Connection, workflow_id: str, first: int, last: int, *, most: int) -> None:
    values = {"workflow_id": workflow_id, "first": first, "last": last, "most": most}
    owner.execute(_RUNS, values)
    owner.execute(_STEPS, values)


def clear(owner: psycopg.Connection) -> None:
    """All runs, at once."""
    owner.execute("truncate workflow_instances cascade")


async def _cost_of_runs(here: Place, workflow_id: str, size: int, filled: float) -> None:
    rounds: list[tuple[Load, float, float]] = []
    for _ in range(ROUNDS):
        with spent(here) as cpu:
            load = await _runs(here, workflow_id)
        runs = load.requests * 1.2  # those of the warm-up, too
        rounds.append((load, 1000 * cpu["server"] / runs, 1000 * cpu["postgres"] / runs))
    load, server, postgres = sorted(rounds, key=lambda one: one[1] + one[2])[ROUNDS // 2]
    print(
        f"  {size:>9} ended                {load.rate:6.0f}/s   p50 {load.p50:6.2f} ms   p99 {load.p99:7.2f} ms"
        f"   CPU a run {server + postgres:5.2f} ms (server {server:.2f}, PostgreSQL {postgres:.2f})"
        f"   filled in {filled:.0f} s"
    )


async def _runs(here: Place, workflow_id: str) -> Load:
    def make(number: int) -> bytes:
        data = {"workflow_id": workflow_id, "input": {"n": number}, "async": False}
        return request("/v1/workflows/execute", here.key, data)

    return await drive(here.port, make, connections=CONNECTIONS, seconds=SECONDS)


def _cost_of_space(owner: psycopg.Connection, workflow_id: str, kept: int = 20_000, turns: int = 8) -> None:
    """A history that is pruned as it grows, and one that is cut to a tenth."""
    print(f"\nroom of {kept} runs with their steps, a quarter of which is replaced at a time")
    add(owner, workflow_id, 1, kept, most=kept)
    owner.execute("vacuum (analyze) workflow_instances, workflow_steps")
    print(f"  filled                        {_sizes(owner)}")
    for turn in range(turns):
        first = kept + 1 + turn * (kept // 4)
        add(owner, workflow_id, first, first + kept // 4 - 1, most=kept * 3)
        removed = _prune(owner, kept)
        owner.execute("vacuum workflow_instances, workflow_steps")
        if turn in (0, turns // 2, turns - 1):
            print(f"  {turn + 1} times {removed} replaced       {_sizes(owner)}")
    began = time.perf_counter()
    removed = _prune(owner, kept // 10)
    seconds = time.perf_counter() - began
    owner.execute("vacuum workflow_instances, workflow_steps")
    print(f"  cut to a tenth, vacuumed      {_sizes(owner)}   ({removed / seconds:.0f} runs/s)")
    owner.execute("vacuum full workflow_instances")
    owner.execute("vacuum full workflow_steps")
    print(f"  … vacuum full                 {_sizes(owner)}")
    clear(owner)


def _prune(owner: psycopg.Connection, kept: int) -> int:
    """As the hourly pruning does."""
    removed = 0
    while True:
        row = owner.execute(
            "select prune_runs_beyond(id, %s, 1000) from organizations order by created_at limit 1", (kept,)
        ).fetchone()
        assert row is not None
        removed += row[0]
        if not row[0]:
            return removed


def _sizes(owner: psycopg.Connection) -> str:
    row = owner.execute(
        "select json_object_agg(t, pg_total_relation_size(t::regclass)) from unnest(%s::text[]) t", (list(TABLES[:2]),)
    ).fetchone()
    assert row is not None
    sizes: dict[str, int] = row[0] if isinstance(row[0], dict) else json.loads(row[0])
    return f"{sum(sizes.values()) / 1e6:6.1f} MB   " + ", ".join(
        f"{name.removeprefix('workflow_')} {size / 1e6:.1f}" for name, size in sizes.items()
    )


def _workflow(here: Place, name: str) -> str:
    return str(here.call("/v1/workflows/create", {"name": name, "steps": STEPS})["id"])


@contextmanager
def _owner(installation: Installation) -> Iterator[psycopg.Connection]:
    with psycopg.connect(installation.owner_url, autocommit=True) as connection:
        connection.execute("set synchronous_commit = off; set statement_timeout = 0")
        yield connection


if __name__ == "__main__":
    main()
