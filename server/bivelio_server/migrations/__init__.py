"""The schema, one file a change, never edited after release; run as the owner of the database.

A change that waits for a lock makes everybody wait who comes after it. So no statement waits long: it gives up, lets the
traffic pass and tries again. Each file is a transaction of its own, so that a killed migration resumes where it was.
"""

import random
import time
from pathlib import Path
from typing import Final

import psycopg
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError

SERVING_GROUP: Final = "bivelio_serving"
_LOCK: Final = 0x62_69_76_65
#: How long the traffic may be held up by a change that waits for its lock, and how long it is let pass then.
#: Longer than `deadlock_timeout`, after which an autovacuum that is in the way gives up.
_LOCK_WAIT_SECONDS: Final = 1.5
_PAUSE_SECONDS: Final = 1.0
_GIVE_UP_SECONDS: Final = 600.0
_TURN_SECONDS: Final = 0.1
_SESSION: Final = f"""
    set lock_timeout = '{_LOCK_WAIT_SECONDS}s';
    set statement_timeout = '2h';
    set idle_in_transaction_session_timeout = '10min';
"""
_log = structlog.get_logger()


class MigrationError(Exception):
    """The schema cannot be changed now; what was done stays, and the next `migrate` goes on from there."""


def migrate(owner_url: str, to: str = "head") -> None:
    """Bring the schema to the newest version. Processes that start at once take turns. Raises MigrationError."""
    engine = create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.connect() as connection:
            _take_turn(connection)
            connection.exec_driver_sql(_SESSION)
            connection.commit()
            _upgrade(connection, to)
            connection.exec_driver_sql(f"select pg_advisory_unlock({_LOCK})")
            connection.commit()
    finally:
        engine.dispose()


def _take_turn(connection: Connection) -> None:
    """Without a statement that waits: who makes an index online would wait for that one in turn."""
    while not connection.exec_driver_sql(f"select pg_try_advisory_lock({_LOCK})").scalar_one():
        connection.commit()
        time.sleep(_TURN_SECONDS)
    connection.commit()


def _upgrade(connection: Connection, to: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while True:
        try:
            command.upgrade(config, to)
            connection.commit()
        except DBAPIError as error:
            if not isinstance(error.orig, LockNotAvailable | DeadlockDetected):
                raise
            connection.rollback()
            if time.monotonic() > deadline:
                raise MigrationError(_blocked(connection)) from error
            _log.warning("migration_waits", reason=str(error.orig).strip())
            time.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        else:
            return


def _blocked(connection: Connection) -> str:
    """What a person can do about it."""
    found = connection.exec_driver_sql(
        "select pid, usename, now() - xact_start from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null"
        " order by xact_start limit 1"
    ).fetchone()
    who = "" if found is None else f" The oldest: process {found[0]} of {found[1]}, open for {found[2]}."
    return f"Transactions that stay open hold the tables that are to change; end them and run `migrate` again.{who}"


def newest_version() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def grant_serving_role(owner_url: str, role: str, password: str) -> None:
    """Make the login role that serves: a member of the serving group and nothing else. Processes take turns."""
    name = sql.Identifier(role)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        # Hashed here, so that no log of statements on the way holds the password itself.
        hashed = sql.Literal(
            connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        )
        exists = connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone()
        if exists:
            connection.execute(sql.SQL("alter role {} login password {}").format(name, hashed))
        else:
            attributes = sql.SQL("login nosuperuser nocreatedb nocreaterole nobypassrls")
            connection.execute(sql.SQL("create role {} {} password {}").format(name, attributes, hashed))
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(SERVING_GROUP), name))


def drop_serving_role(owner_url: str, role: str) -> None:
    """Whoever is connected as it stays so; nobody can any more. A role that is not there is no error."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
