"""Transactions in which nobody asks for anything: what was activated before starts by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from bivelio_server.durable import Run
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.origin import Door, Origin

ORIGIN: Final = Origin(Door.workflow)
NOBODY: Final = UUID(int=0)


@asynccontextmanager
async def unattended(run: Run, *, actor: str) -> AsyncIterator[Context]:
    """A fenced transaction of a trigger's task, without rights. `actor` is who started the runs."""
    async with run.transaction() as session:
        caller = Caller(run.org_id, run.environment, actor, NOBODY, frozenset())
        context = Context(caller, session, run.services, ORIGIN)
        yield context
    for topic in context.topics:
        run.services.wakeups.wake(topic)
