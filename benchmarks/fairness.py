"""What another organisation's run waits while 10 000 runs of the first do."""

import time

import psycopg
from load import percentile
from place import Place
from queueing import queue, unfinished
from workflows import PURE, create

from bivelio_server.installation import Installation

BACKLOG = 10_000
ASKED = 40


def measure(here: Place, installation: Installation) -> None:
    print(f"\nanother organisation's first step while {BACKLOG} runs of the first wait")
    other = here.of_another_organization("Other")
    mine, theirs = create(here, "backlog", PURE), create(other, "other", PURE)
    template = here.call("/v1/workflows/execute", {"workflow_id": mine, "input": {"n": 1}, "async": False})
    queue(installation, str(template["instance_id"]), BACKLOG)
    time.sleep(2)
    for number in range(ASKED):
        other.call("/v1/workflows/execute", {"workflow_id": theirs, "input": {"n": number}})
        time.sleep(0.1)
    with psycopg.connect(installation.owner_url, autocommit=True) as connection:
        left = unfinished(connection)
        waits = sorted(_first_steps(connection, theirs))
        print(
            f"  execute -> first step         p50 {percentile(waits, 0.5):.1f} ms   p99 {percentile(waits, 0.99):.1f} ms"
            f"   ({len(waits)} of {ASKED} runs began, {left} of the backlog were left)"
        )
        connection.execute("truncate absurd.t_work, absurd.r_work, workflow_instances cascade")


def _first_steps(connection: psycopg.Connection, workflow_id: str) -> list[float]:
    rows = connection.execute(
        "select extract(epoch from s.started_at - i.started_at) * 1000 from workflow_instances i"
        " join workflow_steps s on (s.org_id, s.environment, s.instance_id) = (i.org_id, i.environment, i.id)"
        " where i.workflow_id = %s and s.position = 1",
        (workflow_id,),
    )
    return [float(wait) for (wait,) in rows]
