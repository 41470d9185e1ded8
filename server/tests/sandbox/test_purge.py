"""What is in the sandbox goes 24 hours after its creation, wherever it is; what is live stays."""

from typing import Final
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from bivelio_server.kit.caller import Environment
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import APIError
from bivelio_server.sandbox.purge import purge_sandbox
from tests.permissions.sample import Scene
from tests.permissions.samples import SAMPLES
from tests.permissions.tables import kind_of, table_names
from tests.workflows.arranging import HELLO, reached, started, workflow
from tests.world import Organization

pytestmark = pytest.mark.anyio

HOUR: Final = 3600.0


def business_tables(owner: psycopg.Connection) -> list[str]:
    """Those whose rows are to go: all but the few that say why not."""
    marked = owner.execute("select relname from pg_class where obj_description(oid, 'pg_class') like 'not purged: %'")
    kept = {name for (name,) in marked}
    return [name for name in table_names(owner) if kind_of(owner, name) == "business" and name not in kept]


def rows_in(owner: psycopg.Connection, table: str, org_id: UUID, environment: str) -> int:
    query = sql.SQL("select count(*) from {} where org_id = %s and environment = %s").format(sql.Identifier(table))
    row = owner.execute(query, (org_id, environment)).fetchone()
    assert row is not None
    return int(row[0])


def counts(owner: psycopg.Connection, organization: Organization, environment: str) -> dict[str, int]:
    found = {name: rows_in(owner, name, organization.id, environment) for name in business_tables(owner)}
    return {name: count for name, count in found.items() if count}


async def fill(services: Services, organization: Organization, environment: Environment) -> None:
    """Something of everything that the samples of all operations make, the requests that made it written down."""
    scene = Scene(organization, environment)
    for name, sample in SAMPLES.items():
        if not sample.of_organization:
            try:
                await scene.client.post(f"/v1/{name.replace('.', '/')}", await sample.arrange(scene))
            except (AssertionError, APIError):
                continue  # an operation of the other environment
    await services.journal.flush()


async def purge(services: Services, organization: Organization, *, later: float) -> int:
    """The purge as it would go `later` seconds from now."""
    clock = MovableClock()
    clock.advance(seconds=ahead(services) + later)
    return await purge_sandbox(services.database, clock, organization.id)


def ahead(services: Services) -> float:
    """How far other tests have moved the clock, which not all rows are dated by."""
    return (services.clock.now() - MovableClock().now()).total_seconds()


def test_every_business_table_can_be_purged(owner: psycopg.Connection) -> None:
    """A table without `created_at` names the column of its age (`purged-by:…`), or belongs to a row of another."""
    conditions = dict(owner.execute("select name, condition from sandbox_tables()").fetchall())

    assert set(conditions) == set(business_tables(owner))
    assert {name for name, condition in conditions.items() if condition is None} == set()


def test_no_business_table_holds_its_own_rows_back(owner: psycopg.Connection) -> None:
    """A reference to the same table says what becomes of it (`on delete set null (column)`), and none go in circles."""
    held = owner.execute(
        "select conname from pg_constraint where contype = 'f' and conrelid = confrelid and confdeltype in ('a', 'r')"
        " and conrelid::regclass::text = any (%s)",
        (business_tables(owner),),
    ).fetchall()
    depths = [depth for (depth,) in owner.execute("select depth from sandbox_tables()")]

    assert held == []
    assert max(depths) < 30


async def test_what_is_a_day_old_goes_from_every_table_and_nothing_else(
    acme: Organization, rival: Organization, services: Services, owner: psycopg.Connection
) -> None:
    for organization, environment in (
        (acme, Environment.live), (acme, Environment.sandbox), (rival, Environment.sandbox),
    ):  # fmt: skip
        await fill(services, organization, environment)
    live, others = counts(owner, acme, "live"), counts(owner, rival, "sandbox")
    before = counts(owner, acme, "sandbox")

    too_early = await purge(services, acme, later=23 * HOUR - ahead(services))
    after_too_early = counts(owner, acme, "sandbox")
    removed = await purge(services, acme, later=24 * HOUR + 60)

    assert (too_early, after_too_early) == (0, before)
    assert removed == sum(before.values()) > 20
    assert counts(owner, acme, "sandbox") == {}
    assert counts(owner, acme, "live") == live
    assert counts(owner, rival, "sandbox") == others


async def test_a_person_outlives_its_company(acme: Organization, services: Services, owner: psycopg.Connection) -> None:
    company = await acme.sandbox.call("/v1/contacts/create", {"name": "Empresa ABC", "type": "company"})
    age(owner, "contacts", company["id"], hours=12)
    person = await acme.sandbox.call("/v1/contacts/create", {"name": "Maria", "company_id": company["id"]})

    await purge(services, acme, later=13 * HOUR)

    left = await acme.sandbox.call("/v1/contacts", {})
    assert [(found["id"], found["company_id"]) for found in left["contacts"]] == [(person["id"], None)]


async def test_runs_go_with_their_workflow_and_their_work_is_cancelled(
    acme: Organization, services: Services, owner: psycopg.Connection, worker: None
) -> None:
    made = await workflow(acme.sandbox, {"id": "pause", "wait": {"seconds": 86400}}, HELLO)
    age(owner, "workflows", made["id"], hours=12)
    waiting = await reached(acme.sandbox, await started(acme.sandbox, made, name="Ana"), "waiting")
    [(task,)] = owner.execute("select task_id from workflow_instances where id = %s", (waiting["instance_id"],))

    await purge(services, acme, later=13 * HOUR)

    gone = await acme.sandbox.post("/v1/workflows/get_instance", {"instance_id": waiting["instance_id"]})
    states = owner.execute("select state from absurd.t_work where task_id = %s", (task,)).fetchall()
    assert (gone.status_code, states) == (404, [("cancelled",)])


async def test_many_rows_go_in_batches(acme: Organization, services: Services, owner: psycopg.Connection) -> None:
    owner.execute(
        "insert into events (org_id, environment, id, event, occurred_at, data, depth)"
        " select %s, 'sandbox', 'evt_' || n, 'contact.created', now() - interval '25 hours', '{}', 0"
        " from generate_series(1, 1700) n",
        (acme.id,),
    )

    assert await purge(services, acme, later=0) == 1700


def age(owner: psycopg.Connection, table: str, row_id: str, *, hours: int) -> None:
    """Let the row be older."""
    query = sql.SQL("update {} set created_at = created_at - make_interval(hours => %s) where id = %s")
    owner.execute(query.format(sql.Identifier(table)), (hours, row_id))
