"""Asking for work, in the transaction that needs it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from bivelio_server.kit import json, tracing
from bivelio_server.kit.context import Context

TOPIC: Final = "work"
#: Among the params: the span that asked for the task.
TRACEPARENT: Final = "traceparent"

_SPAWN: Final = "select durable.spawn(%(task)s, cast(%(params)s as jsonb), %(key)s, durable.queue_time(%(at)s))"
_CANCEL: Final = "select durable.cancel(%(task_id)s)"
_WAKE: Final = "select durable.wake(%(task_id)s)"


async def spawn(
    context: Context, task: str, params: Mapping[str, str], *, key: str | None = None, at: datetime | None = None
) -> UUID:
    """Queue `task` for the caller's organisation and environment, due `at` or at once; its id.

    `params` carry ids only. With a `key` that was used before, nothing is queued and the first task's id returned.
    """
    traceparent = tracing.traceparent()
    carried = {**params, TRACEPARENT: traceparent} if traceparent else dict(params)
    values = {"task": task, "params": json.dumps(carried).decode(), "key": key, "at": at}
    [(task_id,)] = await context.session.run(_SPAWN, values)
    context.wake(TOPIC)
    return UUID(str(task_id))


async def cancel(context: Context, task_id: UUID) -> bool:
    """End the task: its next fenced transaction is refused. False when the caller has no such task.

    It waits for a fenced transaction of the task: call it before locking rows that the handler locks too.
    """
    [(known,)] = await context.session.run(_CANCEL, {"task_id": task_id})
    return bool(known)


async def wake(context: Context, task_id: UUID) -> bool:
    """Make a sleeping task due now; false when it does not sleep.

    A change made in this transaction is never slept through, provided that the handler looks for it in the same fenced
    transaction in which it goes to sleep. Locks as `cancel` does.
    """
    [(slept,)] = await context.session.run(_WAKE, {"task_id": task_id})
    context.wake(TOPIC)
    return bool(slept)
