"""Many runs at once: copies of one that was made over HTTP, queued in one transaction."""

import psycopg

from bivelio_server.installation import Installation

# `offset 0`: what is expanded into columns is evaluated for each of them, but for a subquery that stays one.
_QUEUE = """
    insert into workflow_instances
    select (copy.row).* from (
        select jsonb_populate_record(i, jsonb_build_object(
                   'id', n.id, 'task_id', durable.spawn('workflows.run', jsonb_build_object('instance_id', n.id)),
                   'status', 'running', 'current_step', 1, 'output', null, 'error', null,
                   'started_at', now(), 'updated_at', now(), 'finished_at', null)) as row
          from workflow_instances i
         cross join lateral (
            select 'wfi_' || md5(i.id || number || clock_timestamp()) as id from generate_series(1, %(runs)s) number) n
         where i.id = %(instance_id)s offset 0) copy
"""


def queue(installation: Installation, instance_id: str, runs: int) -> None:
    """So many more runs like that one, due at once; a worker sees them at its next tick."""
    with psycopg.connect(installation.owner_url) as connection:
        connection.execute(
            "select set_config('app.org_id', org_id::text, true), set_config('app.environment', environment, true)"
            " from workflow_instances where id = %s",
            (instance_id,),
        )
        connection.execute(_QUEUE, {"runs": runs, "instance_id": instance_id})


def unfinished(connection: psycopg.Connection, status: str = "running") -> int:
    row = connection.execute(
        "select count(*) from workflow_instances where finished_at is null and status = %s", (status,)
    ).fetchone()
    assert row is not None
    return int(row[0])
