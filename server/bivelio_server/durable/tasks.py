"""Asking for work, in the transaction that needs it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from bivelio_server.kit import json
from bivelio_server.kit.context import Context

TOPIC: Final = "work"

_SPAWN: Final = text("select durable.spawn(:task, cast(:params as jsonb), :key, :at)")
_CANCEL: Final = text("select durable.cancel(:task_id)")
_WAKE: Final = text("select durable.wake(:task_id)")


async def spawn(
    context: Context, task: str, params: Mapping[str, str], *, key: str | None = None, at: datetime | None = None
) -> UUID:
    """Queue `task` for the caller's organisation and environment, due `at` or at once; its id.

    `params` carry ids only. With a `key` that was used before, nothing is queued and the first task's id returned.
    """
    values = {"task": task, "params": json.dumps(dict(params)).decode(), "key": key, "at": at}
    task_id: UUID = (await context.session.execute(_SPAWN, values)).scalar_one()
    context.wake(TOPIC)
    return task_id


async def cancel(context: Context, task_id: UUID) -> bool:
    """End the task: its next fenced transaction is refused. False when the caller has no such task.

    It waits for a fenced transaction of the task: call it before locking rows that the handler locks too.
    """
    known: bool = (await context.session.execute(_CANCEL, {"task_id": task_id})).scalar_one()
    return known


async def wake(context: Context, task_id: UUID) -> bool:
    """Make a sleeping task due now; false when it does not sleep.

    A change made in this transaction is never slept through, provided that the handler looks for it in the same fenced
    transaction in which it goes to sleep. Locks as `cancel` does.
    """
    slept: bool = (await context.session.execute(_WAKE, {"task_id": task_id})).scalar_one()
    context.wake(TOPIC)
    return slept
