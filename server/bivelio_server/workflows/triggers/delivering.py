"""An event and the runs that wait for it: those whose condition it meets are woken."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from bivelio_server.durable import Run, wake
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import APIError
from bivelio_server.workflows.expressions import Conventions
from bivelio_server.workflows.triggers import queries
from bivelio_server.workflows.triggers.correlation import digest_at
from bivelio_server.workflows.triggers.filters import is_true
from bivelio_server.workflows.triggers.unattended import unattended
from bivelio_server.workflows.triggers.waits import CONDITION, as_seen

_BATCH: Final = 200
#: Of one transaction: conditions may take their time.
_LONGEST_SECONDS: Final = 1.0


async def deliver(run: Run, event: Any) -> None:
    """Batch after batch; after a crash all over again, which does no harm: a run uses an event once."""
    async with unattended(run, actor=run.params["actor"]) as context:
        # In a transaction of its own: a run that is about to go to sleep is waited for, here and when it is woken.
        await queries.hold_waits(context, event.event, alone=True)
    after: tuple[str, str] | None = ("", "")
    while after is not None:
        async with unattended(run, actor=run.params["actor"]) as context:
            after = await _deliver_some(context, event, after)


async def _deliver_some(context: Context, event: Any, after: tuple[str, str]) -> tuple[str, str] | None:
    """Where the next batch begins; None when there is none."""
    seen, began = _by_version(context, event), time.monotonic()
    conventions = Conventions(event.timezone, event.locale, event.currency)
    matches = _matches(seen.values(), await queries.matched_fields(context, event.event))
    waits = await queries.waiting(context, event, matches, after=after, limit=_BATCH)
    chosen: list[Any] = []
    last = None
    for wait in waits:
        last = (wait.instance_id, wait.path)
        if wait.over:
            await queries.let_go(context, wait.instance_id, [wait.path])
        elif not wait.later and _may_end(wait, seen[wait.api_version], context, conventions):
            chosen.append(wait)
        if time.monotonic() - began > _LONGEST_SECONDS:
            break
        await asyncio.sleep(0)
    await _give(context, event, chosen)
    is_last = last is None or (len(waits) < _BATCH and last == (waits[-1].instance_id, waits[-1].path))
    return None if is_last else last


def _by_version(context: Context, event: Any) -> Mapping[str, dict[str, Any]]:
    """The event in the shape of each version of the API; one of a newer server has the newest that is known."""
    versions = context.services.catalogue.versions
    seen = {version: as_seen(context, event, version) for version in versions.dates}
    return defaultdict(lambda: seen[versions.newest], seen)


def _matches(shapes: Iterable[dict[str, Any]], fields: Sequence[str]) -> set[tuple[str, str]]:
    found = ((field, digest_at(shape, field)) for shape in shapes for field in fields)
    return {(field, digest) for field, digest in found if digest is not None}


def _may_end(wait: Any, event: dict[str, Any], context: Context, conventions: Conventions) -> bool:
    """The run has the last word; it also tells of a condition that cannot be evaluated."""
    if wait.condition is None or wait.known is None:
        return True
    try:
        return is_true(wait.condition, CONDITION, {**wait.known, "event": event, "now": context.now}, conventions)
    except APIError:
        return True


async def _give(context: Context, event: Any, waits: list[Any]) -> None:
    """The runs are woken before their waits change: they hold their task when they look at them."""
    tasks: set[UUID] = {wait.task_id for wait in waits if wait.task_id is not None}
    for task_id in sorted(tasks):
        await wake(context, task_id)
    if waits:
        await queries.give(context, event.id, [(wait.instance_id, wait.path) for wait in waits])
