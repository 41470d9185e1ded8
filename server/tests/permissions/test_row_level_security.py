"""The backstop: whatever a query forgets, the database shows a caller's rows only."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from bivelio_server.installation import Installation
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.db import opening
from tests.permissions.sample import Scene
from tests.permissions.samples import SAMPLES
from tests.permissions.tables import GLOBAL, kind_of, rows_of, table_names
from tests.world import Organization

pytestmark = pytest.mark.anyio


@pytest.fixture
def serving(installation: Installation) -> Iterator[psycopg.Connection]:
    """A bare connection as the role that serves."""
    with psycopg.connect(installation.serving_url, autocommit=True) as connection:
        yield connection


def test_every_table_is_of_one_kind(owner: psycopg.Connection) -> None:
    assert [name for name in table_names(owner) if kind_of(owner, name) is None] == []


def test_every_table_has_row_level_security(owner: psycopg.Connection) -> None:
    rows = owner.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        " and not relrowsecurity"
    )

    assert [name for (name,) in rows] == ["alembic_version"]


def test_every_policy_asks_for_the_organization_and_a_business_one_for_the_environment(
    owner: psycopg.Connection,
) -> None:
    for table in table_names(owner):
        conditions = [
            condition for (condition,) in owner.execute("select qual from pg_policies where tablename = %s", (table,))
        ]
        kind = kind_of(owner, table)

        assert all("app.org_id" in condition for condition in conditions), table
        assert all("app.environment" in condition for condition in conditions if kind == "business"), table


async def test_without_a_caller_no_row_is_visible(
    acme: Organization, owner: psycopg.Connection, serving: psycopg.Connection
) -> None:
    await SAMPLES["contacts.list"].arrange(Scene(acme))

    for table in table_names(owner):
        if kind_of(owner, table) in ("business", "organisation"):
            assert visible_rows(serving, table) == 0, table


def test_global_tables_refuse(owner: psycopg.Connection, serving: psycopg.Connection) -> None:
    for table in set(GLOBAL) - {"alembic_version"}:
        with pytest.raises(InsufficientPrivilege):
            serving.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table)))


async def test_a_caller_sees_its_organization_and_environment_only(
    acme: Organization, rival: Organization, serving: psycopg.Connection
) -> None:
    for organization in (acme, rival):
        for environment in Environment:
            await SAMPLES["contacts.list"].arrange(Scene(organization, environment))

    with serving.transaction():
        serving.execute(opening(acme.id, Environment.sandbox).removeprefix("BEGIN; "))
        seen = serving.execute("select distinct org_id, environment from contacts").fetchall()
        everyones_events = serving.execute("select distinct org_id, environment from events").fetchall()

    assert seen == everyones_events == [(acme.id, "sandbox")]


async def test_a_caller_cannot_write_into_another_organization(
    acme: Organization, rival: Organization, owner: psycopg.Connection, serving: psycopg.Connection
) -> None:
    before = rows_of(owner, rival.id)

    serving.execute(opening(acme.id, Environment.live))
    with pytest.raises(InsufficientPrivilege):
        serving.execute(
            "insert into event_subscriptions values (%s, 'live', 'contact.created', 'webhook', 'wh_1')", (rival.id,)
        )
    serving.execute("rollback")

    assert rows_of(owner, rival.id) == before


def visible_rows(connection: psycopg.Connection, table: str) -> int:
    """How many rows the connection may see; a table that it may not read at all shows none."""
    try:
        row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
    except InsufficientPrivilege:
        return 0
    assert row is not None
    count: int = row[0]
    return count
