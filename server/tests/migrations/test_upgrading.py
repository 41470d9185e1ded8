"""Every past version of the schema becomes the newest one, with its data."""

import psycopg
from alembic.script import ScriptDirectory

from bivelio_server.migrations import _config, migrate, newest_version
from tests.migrations.conftest import MakeDatabase
from tests.migrations.past import counts, fill


def versions() -> list[str]:
    """The oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def test_every_past_schema_upgrades_with_its_data(make_database: MakeDatabase) -> None:
    growing = make_database()
    past: dict[str, tuple[str, dict[str, int]]] = {}
    for version in versions():
        migrate(growing, version)
        fill(growing, version)
        past[version] = make_database(_name(growing)), counts(growing)

    for version, (url, before) in past.items():
        migrate(url)
        after = counts(url)
        assert _version(url) == newest_version()
        lost = {table: rows for table, rows in before.items() if after.get(table, 0) < rows}
        assert lost == {}, version

    schemas = {_schema(url) for url, _ in past.values()}
    assert len(schemas) == 1


def test_migrating_again_changes_nothing(make_database: MakeDatabase) -> None:
    url = make_database()
    migrate(url)
    before = _schema(url)

    migrate(url)

    assert _schema(url) == before


def _name(url: str) -> str:
    with psycopg.connect(url) as connection:
        return connection.info.dbname


def _version(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("select version_num from alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def _schema(url: str) -> str:
    """Columns, indexes, constraints and functions, in words."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("""
            select 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text
              from pg_attribute a join pg_class c on c.oid = a.attrelid
             where c.relnamespace::regnamespace::text in ('public', 'durable', 'absurd') and a.attnum > 0
               and not a.attisdropped
            union all
            select 'index', '', '', pg_get_indexdef(indexrelid), indisvalid::text from pg_index
             where indrelid::regclass::text not like 'pg_%'
            union all
            select 'constraint', '', conname, pg_get_constraintdef(oid), convalidated::text from pg_constraint
             where connamespace::regnamespace::text in ('public', 'durable', 'absurd')
            union all
            select 'function', '', proname, md5(prosrc), proacl::text from pg_proc
             where pronamespace::regnamespace::text in ('public', 'durable', 'absurd')
            order by 1, 2, 3, 4, 5
        """).fetchall()
    return "\n".join(map(str, rows))
