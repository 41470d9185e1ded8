"""The database: one transaction per unit of work, opened with its caller.

A transaction's first message is `BEGIN; SET LOCAL …` with the organisation and environment, which row-level security
reads; without a caller no row is visible. Begin and commit go straight to the driver, which is in autocommit mode:
SQLAlchemy's session speaks in between, and its own ceremony would cost more than most statements.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.rows import TupleRow, namedtuple_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection as EngineConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import QueuePool

from bivelio_server.kit import json
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.changes import Change, RecordingSession

#: How long a request waits for a connection before it is refused (503).
_WAIT_SECONDS: Final = 4
#: Times leave the database in UTC, whatever its own time zone. A process that stops in the middle of a transaction must
#: not hold up the others: it loses its locks, and who waits for them is refused (503).
_OPTIONS: Final = "-c timezone=UTC -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
#: Classes of SQLSTATE that pass by themselves: connection, transaction rollback, resources, operator, system.
_PASSING_CLASSES: Final = ("08", "40", "53", "57", "58")
_PASSING_STATES: Final = ("25P03", "55P03")
_UNDONE_STATES: Final = ("40001", "40P01")


set_json_loads(json.loads_trusted)


def passes_by_itself(error: BaseException) -> bool:
    """Whether the database refused for now, so that the same work may succeed later."""
    if isinstance(error, PoolTimeout | SQLAlchemyTimeoutError):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return False
    state = cause.sqlstate
    if state is None:
        return isinstance(cause, psycopg.OperationalError)
    return state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES


def is_undone(error: psycopg.Error | DBAPIError) -> bool:
    """Whether the database has undone the transaction, and nothing else, so that another one may go on: a deadlock."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.Error) and cause.sqlstate in _UNDONE_STATES


class Base(DeclarativeBase):
    """The base of all ORM models."""


class Transaction(AsyncSession):
    """A unit of work: SQLAlchemy's session, and a direct way to the driver for the statements that must be cheap."""

    sync_session_class = RecordingSession

    async def run(self, statement: str, parameters: Mapping[str, object], *, binary: bool = False) -> list[Any]:
        """The rows of one statement in this transaction, as named tuples; parameters are written `%(name)s`.

        Changes of rows that the session still holds back are not seen: flush before. `binary` is for rows with much
        `bytea`, which would else come as digits.
        """
        cursor = await self._driver.cursor(row_factory=namedtuple_row, binary=binary).execute(statement, parameters)
        return await cursor.fetchall() if _gives_rows(cursor) else []

    async def commit_with(self, statement: str) -> None:
        """A last statement, SQL of this server (never input), and the commit in one message."""
        await self.flush_changes()
        await self._driver.execute(f"{statement}; commit")

    async def flush_changes(self) -> None:
        if self.new or self.dirty or self.deleted:
            await self.flush()

    def note(self, change: Change) -> None:
        """Add what no mapped row shows to `take_changes`."""
        self._recording.note(change)

    def take_changes(self) -> list[Change]:
        """What was flushed or noted since the last call."""
        return self._recording.take_changes()

    @property
    def _recording(self) -> RecordingSession:
        assert isinstance(self.sync_session, RecordingSession)
        return self.sync_session

    @property
    def _driver(self) -> AsyncConnection[Any]:
        assert isinstance(self.bind, EngineConnection)
        return _driver(self.bind)


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """Connections of one pool at this moment, of `size` that it may have, and how much work waits for one."""

    name: str
    size: int
    in_use: int
    idle: int
    waiting: int


class Database:
    """Connections as the serving role. `url` is `postgresql://…`."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        self._pool_size = pool_size
        self._waiting = 0
        self._engine = _engine(url, pool_size)
        self._calls = AsyncConnectionPool[AsyncConnection[TupleRow]](
            url,
            min_size=1,
            max_size=max(2, pool_size // 2),
            open=False,
            kwargs={"autocommit": True, "options": _OPTIONS},
            timeout=_WAIT_SECONDS,
        )

    async def open(self) -> None:
        await self._calls.open()

    async def close(self) -> None:
        await self._calls.close()
        await self._engine.dispose()

    def transaction(self, caller: Caller) -> AbstractAsyncContextManager[Transaction]:
        """A session in a transaction that sees the caller's rows only; commits at the end, rolls back on error."""
        return self.transaction_opened_by(opening(caller.org_id, caller.environment))

    @asynccontextmanager
    async def transaction_opened_by(self, statements: str) -> AsyncIterator[Transaction]:
        """A session whose transaction starts with `statements`, SQL of this server (never input)."""
        connection = await self._begun(statements)
        session = Transaction(connection, autoflush=False)
        try:
            yield session
            await session.flush_changes()
            await _commit(_driver(connection))
        except BaseException:
            await _roll_back(connection)
            raise
        finally:
            # Neither call speaks to the database any more, so neither needs SQLAlchemy's asynchronous detour.
            session.sync_session.close()
            _release(connection)

    async def _begun(self, statements: str) -> EngineConnection:
        """A connection on which `statements` have run.

        After a restart of the database the pool is full of dead connections. Nothing has happened on one of them yet,
        so the next is tried.
        """
        for tries_left in reversed(range(self._pool_size + 1)):
            connection = await self._connected()
            try:
                await _driver(connection).execute(statements)
            except BaseException as error:
                await _roll_back(connection)
                dead = _driver_is_closed(connection)
                _release(connection)
                if tries_left and dead and isinstance(error, psycopg.OperationalError):
                    continue
                raise
            return connection
        raise AssertionError

    async def _connected(self) -> EngineConnection:
        self._waiting += 1
        try:
            return await self._engine.connect()
        finally:
            self._waiting -= 1

    def pools(self) -> list[PoolFigures]:
        """That of transactions, and that of calls without a caller."""
        transactions, calls = self._engine.pool, self._calls.get_stats()
        assert isinstance(transactions, QueuePool)
        idle = calls["pool_available"]
        return [
            PoolFigures(
                "transactions", self._pool_size, transactions.checkedout(), transactions.checkedin(), self._waiting
            ),
            PoolFigures("calls", calls["pool_max"], calls["pool_size"] - idle, idle, calls.get("requests_waiting", 0)),
        ]

    async def call(self, sql: str, parameters: Sequence[object] = ()) -> TupleRow | None:
        """The first row of one statement in a transaction of its own, without a caller: definer functions only."""
        rows = await self.call_all(sql, parameters)
        return rows[0] if rows else None

    async def call_all(self, sql: str, parameters: Sequence[object] = ()) -> list[TupleRow]:
        """All rows of one statement, as `call`. A connection found dead is replaced, as in `_begun`."""
        for tries_left in reversed(range(self._pool_size + 1)):
            async with self._calls.connection() as connection:
                try:
                    cursor = await connection.execute(sql, parameters)
                except psycopg.OperationalError:
                    if tries_left and connection.closed and connection.info.status is ConnStatus.BAD:
                        continue
                    raise
                return await cursor.fetchall() if _gives_rows(cursor) else []
        raise AssertionError


def opening(org_id: UUID, environment: Environment) -> str:
    """Both values are of types that cannot hold SQL."""
    return (
        f"BEGIN; SET LOCAL app.org_id = '{UUID(str(org_id))}'; "
        f"SET LOCAL app.environment = '{Environment(environment).value}'"
    )


def _engine(url: str, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_WAIT_SECONDS,
        pool_reset_on_return=None,  # every transaction here ends in a commit or a rollback of its own
        skip_autocommit_rollback=True,
        connect_args={"autocommit": True, "options": _OPTIONS},
        hide_parameters=True,
        json_serializer=lambda value: json.dumps(value).decode(),
        json_deserializer=json.loads_trusted,
    )


def _driver(connection: EngineConnection) -> AsyncConnection[Any]:
    assert connection.sync_connection is not None
    driver = connection.sync_connection.connection.driver_connection
    assert isinstance(driver, AsyncConnection)
    return driver


def _driver_is_closed(connection: EngineConnection) -> bool:
    return connection.invalidated or _driver(connection).closed


def _gives_rows(cursor: AsyncCursor[Any]) -> bool:
    """As `cursor.description` tells, which costs much more: it describes every column."""
    return cursor.pgresult is not None and cursor.pgresult.nfields > 0


async def _commit(driver: AsyncConnection[Any]) -> None:
    """PostgreSQL answers the commit of a failed transaction by rolling it back without a word."""
    if driver.info.transaction_status is TransactionStatus.INERROR:
        raise psycopg.InternalError("a statement of this transaction failed: it cannot be committed")
    await driver.commit()


async def _roll_back(connection: EngineConnection) -> None:
    """Undo what is open; a connection that cannot even do that is thrown away."""
    if connection.invalidated:
        return
    try:
        await _driver(connection).rollback()
    except psycopg.Error as error:
        await connection.invalidate(error)


def _release(connection: EngineConnection) -> None:
    assert connection.sync_connection is not None
    connection.sync_connection.close()
