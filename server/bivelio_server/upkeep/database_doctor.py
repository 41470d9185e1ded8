"""What is wrong with the database of an installation, asked over its owner's connection."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from bivelio_server.installation import Installation, InstallationError, require_prepared
from bivelio_server.key_check import KeyRefused, check_keys, known_keys
from bivelio_server.kit.storage import StorageFailed
from bivelio_server.migrations import newest_version
from bivelio_server.storage import storage_of
from bivelio_server.upkeep.compacting import loose_tables
from bivelio_server.upkeep.findings import Finding, error, ok, warning
from bivelio_server.upkeep.stored import lost_files

OLDEST_POSTGRES: Final = 16
_EXTENSIONS: Final = ("pg_trgm", "btree_gin")
_SKEW: Final = timedelta(seconds=2)
_LARGEST_SKEW: Final = timedelta(seconds=30)
_LONG_TRANSACTION: Final = timedelta(minutes=15)
_SAMPLE: Final = 50
_LOOSE_BYTES: Final = 512 << 20
_LATE: Final = timedelta(minutes=2)


def examine_database(place: Installation) -> Iterator[Finding]:
    with psycopg.connect(place.owner_url, autocommit=True) as connection:
        yield _release(connection)
        yield _extensions(connection)
        yield _clock(connection)
        yield _connections(place, connection)
        yield _transactions(connection)
        schema = _schema(connection)
        yield schema
        if schema.remedy:
            return
        yield _key(place)
        yield _role(place)
        for check in (_rotation, _queue, _endpoints, _loose_tables):
            yield check(connection)
        yield _stored_files(place, connection)
        yield from _chores(connection)


def _release(connection: psycopg.Connection) -> Finding:
    found = connection.info.server_version // 10_000
    if found < OLDEST_POSTGRES:
        return error("release", f"PostgreSQL {found}", f"use PostgreSQL {OLDEST_POSTGRES} or newer")
    return ok("release", f"PostgreSQL {found}")


def _extensions(connection: psycopg.Connection) -> Finding:
    rows = connection.execute("select name from pg_available_extensions where name = any (%s)", (list(_EXTENSIONS),))
    missing = set(_EXTENSIONS) - {name for (name,) in rows}
    if missing:
        return error("extensions", f"{', '.join(sorted(missing))} missing", "install PostgreSQL's contrib package")
    return ok("extensions", ", ".join(_EXTENSIONS))


def _clock(connection: psycopg.Connection) -> Finding:
    began = datetime.now(UTC)
    (there,) = _row(connection, "select clock_timestamp()")
    skew = abs(there - (began + (datetime.now(UTC) - began) / 2))
    what = f"{skew.total_seconds():.1f} s between this machine and the database"
    if skew > _LARGEST_SKEW:
        return error("clock", what, "let both follow a time server (NTP): tokens and leases go by it")
    if skew > _SKEW:
        return warning("clock", what, "let both follow a time server (NTP)")
    return ok("clock", what)


def _connections(place: Installation, connection: psycopg.Connection) -> Finding:
    settings = place.settings
    pool = settings.database_pool + settings.worker_places
    process = pool + max(2, pool // 2) + 2
    allowed, used = _row(
        connection,
        "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
        " (select count(*) from pg_stat_activity where backend_type = 'client backend')",
    )
    what = f"{used} of {allowed} in use; one process takes up to {process}"
    if used + process > allowed:
        remedy = "raise max_connections, or lower BIVELIO_DATABASE_POOL and BIVELIO_WORKER_SLOTS"
        return warning("connections", f"{what}, so one more does not fit", remedy)
    return ok("connections", what)


def _transactions(connection: psycopg.Connection) -> Finding:
    row = connection.execute(
        "select pid, usename, now() - xact_start from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and now() - xact_start > %s"
        " order by xact_start limit 1",
        (_LONG_TRANSACTION,),
    ).fetchone()
    if row is None:
        return ok("transactions", "none is open for long")
    return warning(
        "transactions", f"process {row[0]} of {row[1]} keeps one open for {row[2]}",
        f"nothing deleted since then can be cleaned up: select pg_terminate_backend({row[0]})",
    )  # fmt: skip


def _schema(connection: psycopg.Connection) -> Finding:
    (there,) = _row(connection, "select to_regclass('alembic_version') is not null")
    version = _row(connection, "select version_num from alembic_version")[0] if there else None
    newest = newest_version()
    if version is None or version < newest:
        what = "not made yet" if version is None else f"at {version}, not {newest}"
        return error("schema", what, "bivelio-server migrate")
    if version > newest:
        return error("schema", f"at {version}; this version knows {newest}", "run the newer version that migrated it")
    return ok("schema", version)


def _key(place: Installation) -> Finding:
    try:
        check_keys(place.owner_url, place.secret_key)
    except KeyRefused as refused:
        return error("key", str(refused), "see docs/running.md, 'The secret key'")
    return ok("key", f"{place.secret_key.present.name} opens what is stored")


def _role(place: Installation) -> Finding:
    try:
        require_prepared(place)
    except InstallationError as refused:
        return error("serving role", " ".join(str(refused).split()), "bivelio-server migrate")
    return ok("serving role", "held by row-level security")


def _stored_files(place: Installation, connection: psycopg.Connection) -> Finding:
    check = "stored files"
    try:
        lost = lost_files(connection, storage_of(place.settings), _SAMPLE)
    except StorageFailed as failure:
        return error(check, str(failure), "let the account that runs the server read its storage")
    if lost:
        remedy = "let every process have the same storage settings, or restore the files from a backup"
        where = place.settings.storage_place
        return error(check, f"{len(lost)} of {_SAMPLE} are not in {where}, such as {lost[0]}", remedy)
    return ok(check, f"none missing, of up to {_SAMPLE} that were looked for")


def _rotation(connection: psycopg.Connection) -> Finding:
    keys = known_keys(connection)
    if len(keys) > 1:
        remedy = "restart every process, then: bivelio-server rotate-key --finish"
        return warning("change of keys", f"under way since {keys[-1].since:%Y-%m-%d %H:%M} UTC", remedy)
    return ok("change of keys", "none under way")


def _queue(connection: psycopg.Connection) -> Finding:
    due, late, oldest = _row(
        connection,
        "select count(*), count(*) filter (where available_at < now() - %s), now() - min(available_at)"
        " from absurd.r_work where state in ('pending', 'sleeping') and available_at <= now()",
        (_LATE,),
    )
    if late:
        remedy = "see whether a `serve` or `worker` runs; start more workers if they are busy"
        return warning("queue", f"{due} runs are due, the oldest for {oldest}", remedy)
    return ok("queue", f"{due} runs are due")


def _endpoints(connection: psycopg.Connection) -> Finding:
    (disabled,) = _row(
        connection,
        "select count(*) from webhook_endpoints where status = 'disabled' and deleted_at is null"
        " and environment = 'live'",
    )
    if disabled:
        remedy = "their organisations enable them again once their receivers answer"
        return warning("webhooks", f"{disabled} endpoints are disabled after failures", remedy)
    return ok("webhooks", "no endpoint is disabled")


def _loose_tables(connection: psycopg.Connection) -> Finding:
    found = [table for _, table in loose_tables(connection, least_bytes=_LOOSE_BYTES)]
    if found:
        return warning("room in tables", f"much in {', '.join(found)}", "at a quiet time: bivelio-server compact")
    return ok("room in tables", "what there is will be used again")


def _chores(connection: psycopg.Connection) -> Iterator[Finding]:
    rows = connection.execute("select name, due_at, finished_at, error from chores order by name").fetchall()
    if not rows:
        yield warning("housekeeping", "has not been done yet", "start a `serve` or `worker`")
    for name, due_at, finished_at, failure in rows:
        check = f"chore {name}"
        if failure not in (None, "stopped"):
            yield error(check, f"failed with {failure}", "see the log for `chore_failed`")
        elif due_at < datetime.now(UTC) - timedelta(hours=1):
            yield warning(check, f"is due since {due_at:%Y-%m-%d %H:%M} UTC", "start a `serve` or `worker`")
        else:
            yield ok(check, "under way" if finished_at is None else f"done {finished_at:%Y-%m-%d %H:%M} UTC")


def _row(connection: psycopg.Connection, statement: str, parameters: tuple[object, ...] = ()) -> tuple[Any, ...]:
    row = connection.execute(statement, parameters).fetchone()
    assert row is not None
    return row
