"""Event triggers: the runs that an event starts."""

from collections.abc import Sequence
from typing import Any

import structlog

from bivelio_server.events.definitions import RecordedEvent
from bivelio_server.kit import json
from bivelio_server.kit.context import Context
from bivelio_server.workflows import instances, queries

KIND = "workflow"
_log = structlog.get_logger()


async def start_triggered(context: Context, event: RecordedEvent, workflow_ids: Sequence[str]) -> None:
    """One run for each workflow. Events carry their depth, so that workflows cannot feed themselves for ever."""
    if event.depth > instances.MAX_DEPTH:
        _log.warning("trigger_not_fired", cause="depth", event_id=event.id, depth=event.depth, workflows=workflow_ids)
        return
    input_: dict[str, Any] = json.loads_trusted(
        json.dumps({"event": event.name, "timestamp": event.occurred_at, "data": event.data})
    )
    for workflow in await queries.startable(context, workflow_ids):
        await instances.start(
            context, workflow, input_, event_id=event.id, trigger_type="event", trigger_key=f"event:{event.id}"
        )
