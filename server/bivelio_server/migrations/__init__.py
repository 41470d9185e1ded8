"""The schema, one file a change, never edited after release; run as the owner of the database."""

from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine

SERVING_GROUP: Final = "bivelio_serving"
_LOCK: Final = 0x62_69_76_65


def migrate(owner_url: str) -> None:
    """Bring the schema to the newest version. Two processes that start at once take turns."""
    engine = create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"select pg_advisory_lock({_LOCK})")
            connection.commit()
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            connection.exec_driver_sql(f"select pg_advisory_unlock({_LOCK})")
    finally:
        engine.dispose()


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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
