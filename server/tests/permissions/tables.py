"""What the database holds, seen past every wall: the kinds of table, and an organisation's rows."""

from functools import cache
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql

#: Tables of no organisation, each with the reason why it is none.
GLOBAL: Final = {
    "users": "a person may belong to several organisations",
    "sign_in_sessions": "looked up before there is a caller",
    "refresh_tokens": "looked up before there is a caller",
    "plans": "what organisations can have, the same for all",
    "address_windows": "counted before there is a caller",
    "sign_in_codes": "looked up before there is a caller",
    "user_identities": "looked up before there is a caller",
    "recovery_codes": "of a person, like their password",
    "sign_in_attempts": "counted before there is a caller",
    "installation_keys": "of the installation: which keys its secrets are sealed with",
    "sealed_columns": "of the schema: where sealed secrets are kept",
    "stored_columns": "of the schema: which columns refer to stored files",
    "storage_garbage": "of the installation: files whose rows are gone, looked at before there is a caller",
    "chores": "of the installation: when each chore was done last",
    "alembic_version": "the version of the schema, which `readyz` reads; holds no data",
}
#: Counters that grow with every request, refused ones too.
COUNTERS: Final = frozenset({"rate_windows", "request_log", "usage_daily", "box_key_windows", "box_user_windows"})
#: Columns that change with every use of what the row describes.
COUNTER_COLUMNS: Final = ["last_used_at", "last_used_address"]


def table_names(database: psycopg.Connection) -> list[str]:
    """Every table of schema public; partitions answer for themselves."""
    rows = database.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1"
    )
    return [name for (name,) in rows]


def key_columns(database: psycopg.Connection, table: str) -> list[str]:
    """The columns of the primary key, in order."""
    rows = database.execute(
        "select a.attname from pg_index i"
        " cross join unnest(i.indkey::int[]) with ordinality as k (number, position)"
        " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number"
        " where i.indrelid = %s::regclass and i.indisprimary order by k.position",
        (table,),
    )
    return [name for (name,) in rows]


def kind_of(database: psycopg.Connection, table: str) -> str | None:
    """`business`, `organisation` or `global`; None when the table fits none of them."""
    columns = key_columns(database, table)
    if columns[:2] == ["org_id", "environment"]:
        return "business"
    if columns[:1] == ["org_id"] or table == "organizations":
        return "organisation"
    return "global" if table in GLOBAL else None


def rows_of(database: psycopg.Connection, org_id: UUID) -> list[tuple[str, str]]:
    """Every table with a digest of the organisation's rows in it: equal before and after means that nothing changed."""
    return database.execute(_digests(database), {"org_id": org_id}, prepare=True).fetchall()


@cache
def _digests(database: psycopg.Connection) -> bytes:
    """The same statement for every organisation, so that the database plans it once."""
    tables = [
        name
        for name in table_names(database)
        if kind_of(database, name) in ("business", "organisation") and name not in COUNTERS
    ]
    parts = [
        sql.SQL(
            "select {name}, coalesce(md5(string_agg(kept, '|' order by kept)), '')"
            " from (select (to_jsonb(t) - {counters}::text[])::text as kept from {table} t"
            " where {key} = %(org_id)s) rows"
        ).format(
            name=sql.Literal(name),
            table=sql.Identifier(name),
            key=sql.Identifier("id" if name == "organizations" else "org_id"),
            counters=sql.Literal(COUNTER_COLUMNS),
        )
        for name in tables
    ]
    return sql.SQL(" union all ").join(parts).as_bytes(database)
