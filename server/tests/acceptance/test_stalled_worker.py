"""A worker that stands still for longer than its lease has lost its runs, and knows it when it wakes."""

from collections import Counter

import psycopg
import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, all_of, client_of, until
from tests.world import Client

pytestmark = pytest.mark.anyio

RUNS = 24
STEPS = 8


async def test_a_stalled_worker_does_nothing_more_for_the_runs_it_lost(place: Installation, template: Template) -> None:
    server = await place.serve(BIVELIO_WORKER_SLOTS="1")
    stalled = place.start("worker", BIVELIO_WORKER_SLOTS="8")
    await until(lambda: '"working"' in stalled.output())
    async with client_of(server, template.live_key) as client:
        workflow = await client.call("/v1/workflows/create", {"name": "Many contacts", "steps": _steps()})
        with psycopg.connect(place.database(), autocommit=True) as database:
            for _ in range(RUNS):
                await client.call("/v1/workflows/execute", {"workflow_id": workflow["id"]})
            await until(lambda: _count(database, "select count(distinct claimed_by) from absurd.r_work") > RUNS / 4)
            stalled.pause()
            finished = "select count(*) from workflow_instances where finished_at is not null"
            await until(lambda: _count(database, finished) == RUNS)
            taken_over = _count(database, "select count(*) from absurd.r_work where attempt > 1")
        before = await _world(client)
        stalled.go_on()
        stalled.terminate()
        status = await stalled.ended()
        after = await _world(client)

    assert taken_over > 0
    assert status == 0
    assert after == before
    contacts, instances = after
    assert Counter(contact["name"] for contact in contacts) == Counter(
        f"{instance['instance_id']} step_{number}" for instance in instances for number in range(STEPS)
    )


def _steps() -> list[dict[str, object]]:
    ids = [f"step_{number}" for number in range(STEPS)]
    return [{"id": id_, "uses": "contacts.create", "with": {"name": f"{{{{ run.id }}}} {id_}"}} for id_ in ids]


def _count(database: psycopg.Connection, query: str) -> int:
    row = database.execute(query).fetchone()
    assert row is not None
    return int(row[0])


async def _world(client: Client) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    return (
        await all_of(client, "/v1/contacts", "contacts", sort="created_at"),
        await all_of(client, "/v1/workflows/instances", "instances"),
    )
