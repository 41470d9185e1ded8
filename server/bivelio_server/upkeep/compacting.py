"""Giving room back to the operating system after much was removed at once.

Room that rows leave is used again by others, so tables do not grow under steady use; but they do not shrink either,
unless they are written anew.
"""

from collections.abc import Iterator
from typing import Final

import psycopg
from psycopg import sql
from psycopg.errors import LockNotAvailable

from bivelio_server.installation import Installation
from bivelio_server.upkeep.restore import Tell

#: A smaller one is not worth anybody's waiting.
_WORTHWHILE_BYTES: Final = 16 << 20
#: Nobody waits longer for a table because this one waits for it.
_LOCK_SECONDS: Final = 3
#: Of a full row beside its columns.
_ROW_BYTES: Final = 28


def compact(place: Installation, tell: Tell) -> None:
    """Write big tables anew that have much room in them, one after another. Whoever needs one meanwhile waits."""
    freed = 0
    with psycopg.connect(place.owner_url, autocommit=True) as connection:
        connection.execute("set statement_timeout = 0")
        connection.execute(f"set lock_timeout = '{_LOCK_SECONDS}s'")
        for schema, table in [*loose_tables(connection, least_bytes=_WORTHWHILE_BYTES)]:
            freed += _rewrite(connection, schema, table, tell)
    tell(f"{freed >> 20} MiB are free again.")


def loose_tables(connection: psycopg.Connection, *, least_bytes: int) -> Iterator[tuple[str, str]]:
    """Schema and name of those of at least that size that need less than half of it, by the database's statistics."""
    yield from connection.execute(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " cross join lateral (select coalesce(sum(s.avg_width), 0) as width from pg_stats s"
        " where s.schemaname = n.nspname and s.tablename = c.relname) row"
        " where c.relkind = 'r' and c.reltuples >= 0 and n.nspname in ('public', 'durable', 'absurd')"
        " and pg_total_relation_size(c.oid) >= %s"
        " and pg_relation_size(c.oid) > 2 * c.reltuples * (row.width + %s)"
        " order by pg_total_relation_size(c.oid) desc",
        (least_bytes, _ROW_BYTES),
    ).fetchall()


def _rewrite(connection: psycopg.Connection, schema: str, table: str, tell: Tell) -> int:
    """How many bytes it is smaller."""
    before = _size(connection, schema, table)
    try:
        connection.execute(sql.SQL("vacuum (full, analyze) {}").format(sql.Identifier(schema, table)))
    except LockNotAvailable:
        tell(f"{table}: in use, left as it is")
        return 0
    after = _size(connection, schema, table)
    tell(f"{table}: {before >> 20} MiB, now {after >> 20} MiB")
    return before - after


def _size(connection: psycopg.Connection, schema: str, table: str) -> int:
    row = connection.execute(
        "select pg_total_relation_size(format('%%I.%%I', %s::text, %s::text)::regclass)", (schema, table)
    ).fetchone()
    assert row is not None
    return int(row[0])
