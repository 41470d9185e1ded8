"""A run's side of waiting for an event: it looks what has come since it began, and leaves word what it waits for.

All of it is done in the run's fenced transactions. Whoever brings an event wakes the run first, which waits for such a
transaction to end: so what a run has seen there is still so when it goes to sleep.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.context import Context
from bivelio_server.workflows.expressions import Conventions
from bivelio_server.workflows.triggers import queries
from bivelio_server.workflows.triggers.correlation import Match, digest_at, known_to, match_of
from bivelio_server.workflows.triggers.filters import is_true

CONDITION: Final = "wait_for_event.if"
_PAGE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a step waits for; `path` is its place in the run. `variables` are what its condition sees but the event,
    which it sees in the shape of `api_version`."""

    instance_id: str
    path: str
    step_id: str
    event: str
    api_version: str
    condition: str | None
    variables: Mapping[str, Any]
    conventions: Conventions

    @property
    def match(self) -> Match | None:
        return None if self.condition is None else match_of(self.condition, self.variables, self.conventions)

    def is_ended_by(self, event: Mapping[str, Any]) -> bool:
        """Raises ValidationFailed, Impossible."""
        if self.condition is None:
            return True
        return is_true(self.condition, CONDITION, {**self.variables, "event": event}, self.conventions)


async def event_for(
    context: Context, wait: Wait, had_before: Callable[[], Awaitable[Collection[str]]]
) -> dict[str, Any] | None:
    """The event that ends it, as expressions see it; None when none has come yet: then the run is woken when one does.

    `had_before`: the ids of those that the step has had before. Raises ValidationFailed, Impossible when the condition
    cannot be evaluated.
    """
    present = await queries.get_wait(context, wait.instance_id, wait.path)
    if present is not None and present.event_id is None:
        return None
    used = await had_before()
    found = None if present is None else await _given(context, wait, present.event_id, used)
    if found is None:
        await queries.hold_waits(context, wait.event)
        found = await _come(context, wait, used)
    if found is None:
        await queries.keep_wait(context, _row(wait))
    elif present is not None:
        await queries.let_go(context, wait.instance_id, [wait.path])
    return found


async def let_go(context: Context, instance_id: str, paths: Collection[str] | None = None) -> None:
    """The run waits no more for events at these paths, or at any."""
    await queries.let_go(context, instance_id, None if paths is None else list(paths))


def as_seen(context: Context, row: Any, api_version: str) -> dict[str, Any]:
    """An event's row as expressions see it that were written for that version of the API."""
    data = context.services.catalogue.versions.event_data(api_version, row.event, row.data)
    seen: dict[str, Any] = json.loads_trusted(
        json.dumps({"event_id": row.id, "event": row.event, "timestamp": row.occurred_at, "data": data})
    )
    return seen


async def _given(context: Context, wait: Wait, event_id: str, used: Collection[str]) -> dict[str, Any] | None:
    """The event that somebody found to end it, unless it has been used or does not any more."""
    row = None if event_id in used else await queries.get_event(context, event_id)
    event = row and as_seen(context, row, wait.api_version)
    return event if event and wait.is_ended_by(event) else None


async def _come(context: Context, wait: Wait, used: Collection[str]) -> dict[str, Any] | None:
    """The first that has come since the run began."""
    last, match = None, wait.match
    while True:
        rows = await queries.events_since(context, wait.instance_id, wait.event, after=last, limit=_PAGE)
        for row in rows:
            event = None if row.id in used else as_seen(context, row, wait.api_version)
            if event and (match is None or digest_at(event, match.field) == match.digest) and wait.is_ended_by(event):
                return event
        if len(rows) < _PAGE:
            return None
        last = rows[-1]
        await asyncio.sleep(0)


def _row(wait: Wait) -> dict[str, Any]:
    match = wait.match
    known = None if wait.condition is None else known_to(wait.condition, wait.variables)
    return {
        "instance_id": wait.instance_id,
        "path": wait.path,
        "step_id": wait.step_id,
        "event": wait.event,
        "condition": wait.condition,
        "known": None if known is None else json.dumps(known).decode(),
        "match_field": match and match.field,
        "match_digest": match and match.digest,
    }
