"""What the operator looks at and what is thrown away."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bivelio_server.durable.chores import Chore
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Database

#: Nobody looks at a task that has ended; what it did is in tables of its feature.
KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """Runs of one task, of all tenants, by what they wait for: `due` for a slot, `sleeping` for their time, `running`
    for nothing. `oldest_due`: since when the oldest waits for a slot."""

    task: str
    due: int
    sleeping: int
    running: int
    oldest_due: datetime | None


async def queue_figures(database: Database, now: datetime) -> list[TaskFigures]:
    rows = await database.call_all(
        "select task, due, sleeping, running, oldest_due from durable.queue_figures(%s)", (now,)
    )
    return [TaskFigures(*row) for row in rows]


async def lanes_held(database: Database) -> dict[str, int]:
    """By kind, in all processes."""
    return dict(await database.call_all("select kind, held from durable.lane_figures()"))


async def cleanup(database: Database, ttl: timedelta) -> int:
    """Remove tasks that ended longer than `ttl` ago, a thousand a transaction; how many there were."""
    removed = 0
    while True:
        row = await database.call("select durable.cleanup(%s)", (ttl,))
        assert row is not None
        batch: int = row[0]
        removed += batch
        if batch == 0:
            return removed


async def _clean_up(services: Services) -> int:
    return await cleanup(services.database, KEPT)


CLEANUP: Final = Chore("tasks", timedelta(hours=1), _clean_up)
