"""What follows from an event: the runs that it starts, and the runs that wait for it."""

import asyncio
import time
from typing import Any, Final

import structlog

from bivelio_server.durable import Run
from bivelio_server.kit import json
from bivelio_server.kit.context import Cause, Context
from bivelio_server.kit.errors import APIError
from bivelio_server.workflows.expressions import Conventions
from bivelio_server.workflows.instances import MAX_DEPTH, keep_failed, start
from bivelio_server.workflows.queries import Runnable
from bivelio_server.workflows.triggers import queries
from bivelio_server.workflows.triggers.delivering import deliver
from bivelio_server.workflows.triggers.filters import is_true
from bivelio_server.workflows.triggers.unattended import unattended

_BATCH: Final = 100
#: Of one transaction: filters may take their time.
_LONGEST_SECONDS: Final = 1.0
_log = structlog.get_logger()


async def react(run: Run) -> None:
    """The handler of the durable task `workflows.react`. Taken up again after a crash, it goes on with the workflows
    that have no run yet; often one transaction is all."""
    event: Any = None
    after: str | None = ""
    while after is not None:
        async with unattended(run, actor=run.params["actor"]) as context:
            event = event or await queries.get_event(context, run.params["event_id"])
            if event is None:
                return
            context.cause = Cause(event.origin, event.depth)
            after = await _start_some(context, event, after)
            if after is None and not event.is_awaited:
                await run.finish(context.session)
                return
    await deliver(run, event)


async def _start_some(context: Context, event: Any, after: str) -> str | None:
    """Where the next batch begins; None when there is none."""
    key, began = f"event:{event.id}", time.monotonic()
    found = await queries.listening(context, event, trigger_key=key, after=after, limit=_BATCH)
    inputs: dict[str, dict[str, Any]] = {}
    conventions = Conventions(event.timezone, event.locale, event.currency)
    for position, (workflow, condition, version) in enumerate(found, 1):
        trigger = {"event_id": event.id, "trigger_key": key}
        if version not in inputs:
            inputs[version] = _input(context, event, version)
        await _consider(context, workflow, condition, conventions, inputs[version], trigger)
        if time.monotonic() - began > _LONGEST_SECONDS and position < len(found):
            return workflow.id
        await asyncio.sleep(0)
    return found[-1][0].id if len(found) == _BATCH else None


def _input(context: Context, event: Any, api_version: str) -> dict[str, Any]:
    """What the run is given, in the shape of the version of the API that its workflow was written for."""
    data = context.services.catalogue.versions.event_data(api_version, event.event, event.data)
    given = {"event": event.event, "timestamp": event.occurred_at, "data": data}
    made: dict[str, Any] = json.loads_trusted(json.dumps(given))
    return made


async def _consider(
    context: Context,
    workflow: Runnable,
    condition: str | None,
    conventions: Conventions,
    input_: dict[str, Any],
    trigger: dict[str, Any],
) -> None:
    """Start the workflow if its filter lets the event pass. A filter that cannot tell leaves a failed run."""
    try:
        names = {"input": input_, "now": context.now}
        if condition is not None and not is_true(condition, "trigger.if", names, conventions):
            return
    except APIError as error:
        if context.cause.depth <= MAX_DEPTH:
            await keep_failed(context, workflow, input_, error, trigger_type="event", **trigger)
            return
    if context.cause.depth > MAX_DEPTH:
        _log.warning("trigger_not_fired", cause="depth", depth=context.cause.depth, workflow=workflow.id, **trigger)
    await start(context, workflow, input_, trigger_type="event", **trigger)
