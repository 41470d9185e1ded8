"""Work that waited in a former schema is done in the newest one."""

import psycopg

from bivelio_server.migrations import migrate
from tests.migrations.conftest import MakeDatabase
from tests.migrations.past import ORG

SPAWNED = "select durable.spawn('greet', '{}', null, now() + %s::interval)"
CLAIM = """
    select org_id::text, attempt
      from durable.claim('w', 30, 10, now() + interval '2 days', %s, %s, 0, gen_random_uuid())
     where run_id is not null order by 1, 2
"""


def test_tasks_queued_before_turns_were_known_are_claimed_in_turns(make_database: MakeDatabase) -> None:
    url = make_database()
    migrate(url, "0019")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select set_config('app.org_id', %s, false), set_config('app.environment', 'live', false)", (ORG,)
        )
        for due in ("0", "0", "1 day"):
            connection.execute(SPAWNED, (due,))
        connection.execute("select durable.claim('dead', 30, 1)")
        connection.execute("update absurd.r_work set claim_expires_at = now() where state = 'running'")

        migrate(url)

        without = connection.execute("select count(*) from absurd.r_work where org_id is null").fetchone()
        claimed = connection.execute(CLAIM, ([], [])).fetchall()

    assert without == (0,)
    assert claimed == [(ORG, 1), (ORG, 1), (ORG, 2)]
