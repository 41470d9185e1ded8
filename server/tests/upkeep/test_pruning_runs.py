"""Of each workflow the newest finished runs are kept, as many as the organisation says; what goes on is not touched."""

import psycopg
import pytest

from bivelio_server.chores import PRUNINGS
from bivelio_server.durable import pruning
from bivelio_server.durable.pruning import prune
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Services
from tests.upkeep.test_pruning import count, keep
from tests.world import Client, Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("others_keep_everything")]

STEPS = [{"id": "made", "set": {"x": 1}}]


async def runs_of(client: Client, owner: psycopg.Connection, number: int, *, status: str = "completed") -> list[str]:
    """Runs of a fresh workflow, oldest first, as they are after nobody worked on them."""
    workflow = await client.call("/v1/workflows/create", {"name": "Runs", "steps": STEPS})
    runs = [
        (await client.call("/v1/workflows/execute", {"workflow_id": workflow["id"]}))["instance_id"]
        for _ in range(number)
    ]
    owner.execute(
        "update workflow_instances set status = %s, finished_at = case when %s then started_at end where id = any (%s)",
        (status, status in ("completed", "failed", "cancelled"), runs),
    )
    owner.execute(
        "insert into workflow_steps (org_id, environment, instance_id, path, step_id, position, uses, status, attempts,"
        " started_at) select org_id, environment, id, 'made', 'made', 1, 'set', 'completed', 1, started_at"
        " from workflow_instances where id = any (%s)",
        (runs,),
    )
    return runs


def left(owner: psycopg.Connection, runs: list[str]) -> list[str]:
    rows = owner.execute("select id from workflow_instances where id = any (%s) order by id", (runs,)).fetchall()
    return [run for (run,) in rows]


async def test_the_newest_of_each_workflow_are_kept(
    acme: Organization, rival: Organization, services: Services, owner: psycopg.Connection
) -> None:
    keep(owner, acme, runs_kept=2)
    keep(owner, rival, runs_kept=None)
    many = await runs_of(acme.live, owner, 5)
    few = await runs_of(acme.live, owner, 2)
    theirs = await runs_of(rival.live, owner, 4)

    await prune(services, PRUNINGS)

    assert (left(owner, many), left(owner, few), left(owner, theirs)) == (many[3:], few, theirs)
    assert count(owner, "workflow_steps", acme) == 4


@pytest.mark.parametrize("status", ["running", "waiting", "paused"])
async def test_what_has_not_ended_stays_and_counts_for_nothing(
    acme: Organization, services: Services, owner: psycopg.Connection, status: str
) -> None:
    keep(owner, acme, runs_kept=1)
    runs = await runs_of(acme.live, owner, 6, status="failed")
    going_on = [runs[0], runs[4], runs[5]]
    owner.execute(
        "update workflow_instances set status = %s, finished_at = null where id = any (%s)", (status, going_on)
    )

    await prune(services, PRUNINGS)

    assert left(owner, runs) == [runs[0], runs[3], runs[4], runs[5]]


async def test_live_and_sandbox_are_counted_apart(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    keep(owner, acme, runs_kept=1)
    live = await runs_of(acme.live, owner, 2)
    sandbox = await runs_of(acme.key("admin", environment=Environment.sandbox), owner, 2)

    await prune(services, PRUNINGS)

    assert (left(owner, live), left(owner, sandbox)) == (live[1:], sandbox[1:])


async def test_they_go_in_small_pieces(
    acme: Organization, services: Services, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_BATCH", 2)
    keep(owner, acme, runs_kept=1)
    several = [await runs_of(acme.live, owner, 4) for _ in range(3)]

    await prune(services, PRUNINGS)

    assert [left(owner, runs) for runs in several] == [runs[3:] for runs in several]
