"""The database: one transaction per unit of work, opened with its caller.

A transaction's first message is `BEGIN; SET LOCAL …` with the organisation and environment, which row-level security
reads; without a caller no row is visible. Driver connections are in autocommit mode, so the opening is ours alone.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from bivelio_server.kit import json
from bivelio_server.kit.caller import Caller, Environment

_OPENING: Final = "opening"


class Base(DeclarativeBase):
    """The base of all ORM models."""


class Database:
    """Connections as the serving role. `url` is `postgresql://…`."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        self.conninfo = url
        self._engine = _engine(url, pool_size)
        self._calls = AsyncConnectionPool[AsyncConnection[TupleRow]](
            url,
            min_size=1,
            max_size=max(2, pool_size // 2),
            open=False,
            kwargs={"autocommit": True},
            timeout=10,
        )

    async def open(self) -> None:
        await self._calls.open()

    async def close(self) -> None:
        await self._calls.close()
        await self._engine.dispose()

    def transaction(self, caller: Caller) -> AbstractAsyncContextManager[AsyncSession]:
        """A session in a transaction that sees the caller's rows only; commits at the end, rolls back on error."""
        return self.transaction_opened_by(opening(caller.org_id, caller.environment))

    @asynccontextmanager
    async def transaction_opened_by(self, statements: str) -> AsyncIterator[AsyncSession]:
        """A session whose transaction starts with `statements`, SQL of this server (never input)."""
        async with AsyncSession(self._engine, expire_on_commit=False, autoflush=False) as session:
            await session.connection(execution_options={_OPENING: statements})
            yield session
            await session.commit()

    async def call(self, sql: str, parameters: Sequence[object] = ()) -> TupleRow | None:
        """The first row of one statement in a transaction of its own, without a caller: definer functions only."""
        async with self._calls.connection() as connection:
            cursor = await connection.execute(sql, parameters)
            return await cursor.fetchone()

    async def call_all(self, sql: str, parameters: Sequence[object] = ()) -> list[TupleRow]:
        """All rows of one statement, as `call`."""
        async with self._calls.connection() as connection:
            cursor = await connection.execute(sql, parameters)
            return await cursor.fetchall()


def opening(org_id: UUID, environment: Environment) -> str:
    """Both values are of types that cannot hold SQL."""
    return (
        f"BEGIN; SET LOCAL app.org_id = '{UUID(str(org_id))}'; "
        f"SET LOCAL app.environment = '{Environment(environment).value}'"
    )


def _engine(url: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        max_overflow=0,
        pool_reset_on_return="rollback",
        connect_args={"autocommit": True},
        json_serializer=lambda value: json.dumps(value).decode(),
        json_deserializer=json.loads_trusted,
    )
    event.listen(engine.sync_engine, "begin", _open_transaction)
    return engine


def _open_transaction(connection: Connection) -> None:
    statements = connection.get_execution_options().get(_OPENING, "BEGIN")
    cursor = connection.connection.cursor()
    cursor.execute(statements)
    cursor.close()
