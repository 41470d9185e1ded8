"""Workers of two versions side by side: each does what it knows, and leaves the rest to the other."""

import sys
from collections import Counter
from uuid import UUID

import psycopg
import pytest

from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from tests.workflows import old_worker
from tests.workflows.arranging import HELLO, Json, create_contact, instances, started, until, workflow
from tests.workflows.processes import workers
from tests.world import Organization

pytestmark = pytest.mark.anyio

OLD = (sys.executable, "-m", old_worker.__name__, "worker")
RUNS = 8


async def test_an_old_worker_beside_a_new_one_fails_nothing(
    acme: Organization, installation: Installation, owner: psycopg.Connection, clock: MovableClock
) -> None:
    made = create_contact("made")
    update: Json = {"id": "named", "uses": "contacts.update",
                    "with": {"id": "{{ steps.made.output.id }}", "name": "Eva"}}  # fmt: skip
    kinds = [await workflow(acme.live, *steps, concurrency="many") for steps in ([made], [made, HELLO], [made, update])]

    with workers(installation, clock) as crowd:
        crowd.start(*OLD)
        runs = [await started(acme.live, kind, name="Ana") for kind in kinds for _ in range(RUNS)]
        await until(lambda: _ended(acme, RUNS), 60)
        assert len(_claims(owner, acme.id)) == 1
        crowd.start()
        await until(lambda: _ended(acme, len(runs)), 60)

    found = await instances(acme.live, per_page=100)
    assert {run["status"] for run in found} == {"completed"}
    names = Counter(
        contact["name"] for contact in (await acme.live.call("/v1/contacts", {"per_page": 100}))["contacts"]
    )
    assert names == {"Maria Garcia": 2 * RUNS, "Eva": RUNS}


async def _ended(organization: Organization, runs: int) -> bool:
    return sum(run["finished_at"] is not None for run in await instances(organization.live, per_page=100)) >= runs


def _claims(owner: psycopg.Connection, org_id: UUID) -> set[str]:
    """The processes that ended runs."""
    rows = owner.execute(
        "select split_part(r.claimed_by, '.', 1) from absurd.r_work r where r.org_id = %s and r.state = 'completed'",
        (org_id,),
    )
    return {worker for (worker,) in rows}
