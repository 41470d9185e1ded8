"""Asking for work, in the transaction that needs it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from bivelio_server.kit import json, tracing
from bivelio_server.kit.context import Context

TOPIC: Final = "work"
#: Among the params: the span that asked for the task.
TRACEPARENT: Final = "traceparent"

_SPAWN: Final = "select durable.spawn(%(task)s, cast(%(params)s as jsonb), %(key)s, durable.queue_time(%(at)s))"
_SPAWN_ALL: Final = """
    select durable.spawn(%(task)s, given.params)
      from jsonb_array_elements(cast(%(params)s as jsonb)) with ordinality as given(params, place)
     order by given.place
"""
_CANCEL: Final = "select durable.cancel(%(task_id)s)"
_CANCEL_ALL: Final = "select durable.cancel_all(%(task_ids)s)"
_WAKE: Final = "select durable.wake(%(task_id)s)"


async def spawn(
    context: Context, task: str, params: Mapping[str, str], *, key: str | None = None, at: datetime | None = None
) -> UUID:
    """Queue `task` for the caller's organisation and environment, due `at` or at once; its id.

    `params` carry ids only. With a `key` that was used before, nothing is queued and the first task's id returned.
    """
    values = {"task": task, "params": json.dumps(_traced(params)).decode(), "key": key, "at": at}
    [(task_id,)] = await context.session.run(_SPAWN, values)
    context.wake(TOPIC)
    return UUID(str(task_id))


async def spawn_all(context: Context, task: str, params: Sequence[Mapping[str, str]]) -> list[UUID]:
    """As `spawn`, one task for each of `params`, due at once; their ids in that order."""
    if not params:
        return []
    given = json.dumps([_traced(each) for each in params]).decode()
    rows = await context.session.run(_SPAWN_ALL, {"task": task, "params": given})
    context.wake(TOPIC)
    return [UUID(str(task_id)) for (task_id,) in rows]


async def cancel(context: Context, task_id: UUID) -> bool:
    """End the task: its next fenced transaction is refused. False when the caller has no such task.

    It waits for a fenced transaction of the task: call it before locking rows that the handler locks too.
    """
    [(known,)] = await context.session.run(_CANCEL, {"task_id": task_id})
    return bool(known)


async def cancel_all(context: Context, task_ids: Sequence[UUID]) -> None:
    """As `cancel`, for many tasks at once; those that have ended, or are not the caller's, are passed over."""
    if task_ids:
        await context.session.run(_CANCEL_ALL, {"task_ids": list(task_ids)})


async def wake(context: Context, task_id: UUID) -> bool:
    """Make a sleeping task due now; false when it does not sleep.

    A change made in this transaction is never slept through, provided that the handler looks for it in the same fenced
    transaction in which it goes to sleep. Locks as `cancel` does.
    """
    [(slept,)] = await context.session.run(_WAKE, {"task_id": task_id})
    context.wake(TOPIC)
    return bool(slept)


def _traced(params: Mapping[str, str]) -> dict[str, str]:
    traceparent = tracing.traceparent()
    return {**params, TRACEPARENT: traceparent} if traceparent else dict(params)
