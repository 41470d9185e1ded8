"""Removing what is old, a batch a transaction, so that no lock is held for long."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
import structlog

from bivelio_server.durable.chores import Chore
from bivelio_server.kit.context import Services
from bivelio_server.kit.pruning import AnyPruning, OrganisationLimit, OrganisationPruning, Pruning

CHORE: Final = "pruning"
_EVERY: Final = timedelta(hours=1)
#: What is left then goes the next time; the process is not taken for dead before.
_LONGEST: Final = timedelta(minutes=45)
_LEASE: Final = timedelta(hours=1)
_BATCH: Final = 1000
#: Between two batches, so that the others come to their turn.
_PAUSE_SECONDS: Final = 0.02
_log = structlog.get_logger()


def pruning_chore(prunings: Sequence[AnyPruning]) -> Chore:
    """Removes, every hour, what the organisations and the installation no longer keep."""

    async def work(services: Services) -> int:
        return await prune(services, prunings)

    return Chore(CHORE, _EVERY, work, lease=_LEASE)


async def prune(services: Services, prunings: Sequence[AnyPruning]) -> int:
    """All that is old by now, as far as the time goes; how many rows there were.

    One that fails keeps no other from its turn; the last failure is raised at the end.
    """
    end = time.monotonic() + _LONGEST.total_seconds()
    removed, failure = 0, None
    async for statement, which in _calls(services, prunings):
        try:
            while (batch := await _batch(services, statement, which)) and time.monotonic() < end:
                removed += batch
                await asyncio.sleep(_PAUSE_SECONDS)
        except psycopg.Error as error:
            _log.error("not_pruned", statement=statement, exc_info=error)
            failure = error
    if failure is not None:
        raise failure
    return removed


async def _calls(services: Services, prunings: Sequence[AnyPruning]) -> AsyncIterator[tuple[str, tuple[object, ...]]]:
    """What is to be called until it removes nothing more, and with what."""
    now = services.clock.now()
    for pruning in prunings:
        if isinstance(pruning, Pruning):
            yield f"select {pruning.function}(%s, %s)", (now - pruning.kept,)
    organisations = await services.database.call_all("select org_id, retention from retention_settings()")
    for org_id, retention in organisations:
        for pruning in prunings:
            if not isinstance(pruning, Pruning) and (kept := _kept(pruning, retention, now)) is not None:
                yield f"select {pruning.function}(%s, %s, %s)", (org_id, kept)


async def _batch(services: Services, statement: str, which: tuple[object, ...]) -> int:
    row = await services.database.call(statement, (*which, _BATCH))
    assert row is not None
    removed: int = row[0]
    return removed


def _kept(
    pruning: OrganisationPruning | OrganisationLimit, retention: Mapping[str, Any], now: datetime
) -> datetime | int | None:
    """Since when, or how many; None: everything is kept."""
    kept = retention.get(pruning.setting)
    if kept is None or isinstance(pruning, OrganisationLimit):
        return kept
    return now - timedelta(days=int(kept))
