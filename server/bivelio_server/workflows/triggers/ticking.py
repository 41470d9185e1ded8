"""Schedules at work: one durable task a workflow, due at its next tick, which queues the one after it.

The tick, the run that it starts and the next tick are one transaction, so the chain neither breaks nor forks. A tick
heeds only the schedule that names its task: of one that is changed, the old task is ended.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from bivelio_server.durable import Run, cancel, spawn
from bivelio_server.kit.context import Context
from bivelio_server.workflows import queries as workflows
from bivelio_server.workflows.definition import CronTrigger
from bivelio_server.workflows.instances import start
from bivelio_server.workflows.queries import Runnable
from bivelio_server.workflows.triggers import queries
from bivelio_server.workflows.triggers.schedule import Schedule
from bivelio_server.workflows.triggers.unattended import unattended

TASK: Final = "workflows.tick"
#: Later than this a tick is a missed one.
_PUNCTUAL: Final = timedelta(minutes=1)
#: Clocks of servers and of the database differ: so much too early is in time.
_EARLY: Final = timedelta(seconds=2)
_MOST_COUNTED: Final = 1000
_log = structlog.get_logger()


async def plan(context: Context, workflow_id: str, trigger: CronTrigger | None) -> None:
    """From now on the workflow is started by this schedule, or by none. Its row is held by the caller.

    A schedule that stays as it is keeps its next tick, though that be overdue.
    """
    present = await queries.get_schedule(context, workflow_id)
    zone = None if trigger is None else await _zone(context, trigger)
    if present is not None and trigger is not None and (present.cron, present.timezone) == (trigger.cron, zone):
        return
    if present is not None:
        await _end(context, workflow_id)
    if trigger is not None and zone is not None:
        await _queue(context, workflow_id, trigger, zone, _next(trigger, zone, context.now))


async def mend(context: Context, workflow_id: str, trigger: CronTrigger) -> None:
    """Let a schedule go on whose task is gone: what was missed meanwhile is seen to by the next one."""
    present = await queries.get_schedule(context, workflow_id)
    zone = await _zone(context, trigger)
    next_at = _next(trigger, zone, context.now) if present is None else present.next_at
    await _end(context, workflow_id)
    await _queue(context, workflow_id, trigger, zone, next_at)


async def tick(run: Run) -> None:
    """The handler of the durable task `workflows.tick`."""
    workflow_id = run.params["workflow_id"]
    async with unattended(run, actor=f"workflow:{workflow_id}") as context:
        due = await queries.hold_schedule(context, workflow_id, run.task_id)
        if due is not None and due.next_at - context.now > _EARLY:
            await run.sleep_until(context.session, due.next_at)
            return
        if due is not None:
            await _tick(context, workflow_id, due)
        await run.finish(context.session)


async def _tick(context: Context, workflow_id: str, due: Any) -> None:
    workflow, definition = await workflows.get_to_run(context, workflow_id)
    trigger = definition.trigger
    if workflow.status != "active" or not isinstance(trigger, CronTrigger):
        await queries.forget_schedule(context, workflow_id)
        return
    zone = await _zone(context, trigger)
    moment = max(context.now, due.next_at)
    if (trigger.cron, zone) == (due.cron, due.timezone):
        await _start(context, workflow, trigger, due, moment)
    await _queue(context, workflow_id, trigger, zone, _next(trigger, zone, moment))


async def _start(context: Context, workflow: Runnable, trigger: CronTrigger, due: Any, moment: datetime) -> None:
    """The run of the latest tick. Those before it that nobody saw to are made up for by it, or left out."""
    schedule = Schedule(due.cron, ZoneInfo(due.timezone))
    latest = schedule.latest(due.next_at, moment)
    missed = schedule.count(due.next_at, latest, most=_MOST_COUNTED)
    if trigger.missed == "skip" and moment - latest > _PUNCTUAL:
        _log.warning("ticks_skipped", workflow=workflow.id, latest=latest, missed=missed + 1)
        return
    input_ = {"scheduled_at": _text(latest), "missed": missed}
    await start(context, workflow, input_, trigger_type="cron", trigger_key=f"cron:{_text(latest)}")


async def _zone(context: Context, trigger: CronTrigger) -> str:
    return trigger.timezone or await queries.timezone_of_organization(context)


def _next(trigger: CronTrigger, zone: str, moment: datetime) -> datetime | None:
    return Schedule(trigger.cron, ZoneInfo(zone)).after(moment)


async def _queue(context: Context, workflow_id: str, trigger: CronTrigger, zone: str, next_at: datetime | None) -> None:
    if next_at is None:
        await queries.forget_schedule(context, workflow_id)
        return
    row = {
        "workflow_id": workflow_id,
        "cron": trigger.cron,
        "timezone": zone,
        "follows_organization": trigger.timezone is None,
        "next_at": next_at,
        "task_id": await spawn(context, TASK, {"workflow_id": workflow_id}, at=next_at),
    }
    await queries.keep_schedule(context, row)


async def _end(context: Context, workflow_id: str) -> None:
    """End its task. A tick that is being made is waited for: it has queued another task by then, which ends too.

    The task is locked before the row, as the tick does.
    """
    ended: UUID | None = None
    while (present := await queries.get_schedule(context, workflow_id)) is not None and present.task_id != ended:
        await cancel(context, present.task_id)
        ended = present.task_id
    await queries.forget_schedule(context, workflow_id)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
