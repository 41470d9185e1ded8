"""Sandbox rows go 24 hours after their creation, in every business table that there is.

The tables, their order and what tells the age of a row are read from the catalogue of the database (`sandbox_tables`),
so a new feature is covered without a line here. Batches are small, and one process at a time removes them.
"""

import asyncio
from typing import Final
from uuid import UUID

import psycopg
import structlog

from bivelio_server.durable import Run
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Database

TASK: Final = "sandbox.purge"
BATCH: Final = 500
#: One after another, so that what works beside it gets its turn.
_PAUSE_SECONDS: Final = 0.01
_log = structlog.get_logger()


async def purge_sandbox(database: Database, clock: Clock, org_id: UUID | None = None) -> int:
    """Remove the sandbox rows that are old enough, of one organisation or of all; how many there were."""
    removed = 0
    for (table,) in await database.call_all(
        "select name from sandbox_tables() where condition is not null order by depth desc, name"
    ):
        try:
            removed += await _purge_table(database, clock, table, org_id)
        except psycopg.Error as error:
            _log.warning("purge_failed", table=table, error=str(error).strip())
    return removed


async def purge_own(run: Run) -> None:
    """The handler of the durable task `sandbox.purge`: that of one organisation, whose clock has moved."""
    await purge_sandbox(run.services.database, run.services.clock, run.org_id)


async def purge_all(services: Services) -> int:
    """All sandboxes; how many rows there were."""
    return await purge_sandbox(services.database, services.clock)


async def _purge_table(database: Database, clock: Clock, table: str, org_id: UUID | None) -> int:
    removed = 0
    while True:
        row = await database.call("select purge_sandbox(%s, %s, %s, %s)", (table, clock.outside(), org_id, BATCH))
        assert row is not None
        batch: int = row[0]
        removed += max(0, batch)
        if batch < BATCH:
            return removed
        await asyncio.sleep(_PAUSE_SECONDS)
