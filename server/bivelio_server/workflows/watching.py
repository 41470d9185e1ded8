"""Watching a run: how it stands, then each step and status as they change, then how it ended."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import structlog
from anyio import CancelScope

from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Database, passes_by_itself
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.streaming import StreamEvent
from bivelio_server.kit.watches import Key
from bivelio_server.workflows import queries
from bivelio_server.workflows.instances import WATCHED, watch_key
from bivelio_server.workflows.operations import get_instance
from bivelio_server.workflows.schemas import InstanceProgress, InstanceReference, StepView

#: Between two looks at one run: what happens faster comes together.
_PAUSE_SECONDS: Final = 0.05
_PAUSE_AFTER_FAILURE_SECONDS: Final = 2.0
_REVISIONS: Final = "select place, revision from instance_revisions(%s, %s, %s)"
_log = structlog.get_logger()


async def look(database: Database, keys: Sequence[Key]) -> Mapping[Key, object]:
    """When each of these runs changed last."""
    columns = [list(column) for column in zip(*keys, strict=True)]
    return {keys[place - 1]: revision for place, revision in await database.call_all(_REVISIONS, columns)}


class Watch:
    """One run as one client sees it; what is sent is not kept."""

    def __init__(self, context: Context, instance_id: str) -> None:
        self._caller, self._services, self._origin = context.caller, context.services, context.origin
        self._instance = InstanceReference(instance_id=instance_id)
        self._progress: InstanceProgress | None = None
        self._steps: dict[str, Any] = {}

    async def events(self, last_event_id: str | None) -> AsyncGenerator[StreamEvent, None]:
        """From a snapshot, unless the client has seen the run as it stands, to its end."""
        key = watch_key(self._caller, self._instance.instance_id)
        with self._services.watches.watch(WATCHED, key) as changed:
            while not self._has_ended:
                await changed.wait()
                changed.clear()
                news = deque(await self._news(changed, last_event_id))
                while news:
                    yield news.popleft()
                await asyncio.sleep(_PAUSE_SECONDS)

    @property
    def _has_ended(self) -> bool:
        return self._progress is not None and self._progress.finished_at is not None

    async def _news(self, changed: asyncio.Event, last_event_id: str | None) -> Sequence[StreamEvent]:
        """What has changed. While the database is away nothing has: it is looked at again."""
        try:
            return await self._look(last_event_id)
        except Exception as error:
            if not passes_by_itself(error):
                raise
            _log.warning("watch_interrupted", instance_id=self._instance.instance_id)
            await asyncio.sleep(_PAUSE_AFTER_FAILURE_SECONDS)
            changed.set()
            return ()

    async def _look(self, last_event_id: str | None) -> Sequence[StreamEvent]:
        """In one transaction. A client who goes away must not cost the pool the connection of a query under way."""
        found: Sequence[StreamEvent] = ()
        async with self._services.watches.turn:
            with CancelScope(shield=True):
                async with transaction(self._caller, self._services, self._origin) as context:
                    found = await self._compare(context, last_event_id)
        return found

    async def _compare(self, context: Context, last_event_id: str | None) -> Sequence[StreamEvent]:
        before, now = self._progress, await queries.get_progress(context, self._instance.instance_id)
        if before == now:
            return ()
        events = (
            await self._first(context, now, last_event_id) if before is None else await self._next(context, before, now)
        )
        if now.finished_at is not None:
            events.append(StreamEvent("end", await get_instance(context, self._instance)))
        self._progress = now
        # Whoever loses the stream amid these gets all of them again.
        return [*events[:-1], *(event._replace(id=_revision(now)) for event in events[-1:])]

    async def _first(self, context: Context, now: InstanceProgress, last_event_id: str | None) -> list[StreamEvent]:
        if last_event_id == _revision(now):
            self._steps = await queries.step_marks(context, now.instance_id)
            return []
        return [await self._snapshot(context)]

    async def _next(self, context: Context, before: InstanceProgress, now: InstanceProgress) -> list[StreamEvent]:
        marks = await queries.step_marks(context, now.instance_id)
        if self._steps.keys() - marks.keys():  # it was retried from an earlier step
            return [await self._snapshot(context)]
        changed = [step for step, mark in marks.items() if self._steps.get(step) != mark]
        self._steps = marks
        rows = await queries.list_steps(context, now.instance_id, changed) if changed else []
        events = [StreamEvent("step", StepView.model_validate(row)) for row in rows]
        stands = now.model_copy(update={"updated_at": before.updated_at}) == before
        return events if stands else [*events, StreamEvent("status", now)]

    async def _snapshot(self, context: Context) -> StreamEvent:
        self._steps = await queries.step_marks(context, self._instance.instance_id)
        return StreamEvent("snapshot", await get_instance(context, self._instance))


def _revision(progress: InstanceProgress) -> str:
    return str(round(progress.updated_at.timestamp() * 1_000_000))
