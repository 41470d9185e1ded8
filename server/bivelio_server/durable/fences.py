"""Transactions that open with a fence: they commit only while the work is still ours."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import psycopg
from psycopg import sql

from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.tracing import EndsEarly

_LOST: Final = frozenset({"AB001", "AB002", "P0001"})


class Superseded(EndsEarly):
    """The work is no longer ours: cancelled, taken over, or done."""


@asynccontextmanager
async def fenced(services: Services, opening: str) -> AsyncIterator[Transaction]:
    """A transaction that `opening`, a call of a fence, may refuse. Raises Superseded."""
    async with AsyncExitStack() as stack:
        try:
            session = await stack.enter_async_context(services.database.transaction_opened_by(opening))
        except psycopg.Error as error:  # the opening is not SQLAlchemy's: neither are its errors
            if is_superseded(error):
                raise Superseded from error
            raise
        yield session


def is_superseded(error: psycopg.Error) -> bool:
    """Whether a `durable` function refused because the run is not ours any more."""
    return error.sqlstate in _LOST


def render(template: str, **values: object) -> str:
    """SQL with its values as literals: several statements in one message take no parameters."""
    return sql.SQL(template).format(**{name: sql.Literal(value) for name, value in values.items()}).as_string()
