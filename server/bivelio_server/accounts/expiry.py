"""Telling that a key is about to expire: once, by whichever worker sees it first."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from bivelio_server.accounts import queries
from bivelio_server.accounts.events import EXPIRING
from bivelio_server.accounts.notices import notify_expiring
from bivelio_server.accounts.times import true_now
from bivelio_server.accounts.views import view
from bivelio_server.durable import Lane, LaneRun
from bivelio_server.events.recording import record
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.origin import Door, Origin

_BEFORE: Final = timedelta(days=7)
_ORIGIN: Final = Origin(Door.workflow)
_NOBODY: Final = UUID(int=0)


def notice_at(expires_at: datetime | None, now: datetime) -> datetime | None:
    """A week before the end; with less left than that, when half of it has passed."""
    if expires_at is None:
        return None
    left = expires_at - now
    return expires_at - (_BEFORE if left > _BEFORE else left / 2)


async def announce(run: LaneRun) -> None:
    """Tell of the key `run.key`, in its environment and in the transaction that marks it as told."""
    async with run.transaction() as session:
        caller = Caller(run.org_id, run.environment, f"key:{run.key}", _NOBODY, frozenset())
        context = Context(caller, session, run.services, _ORIGIN)
        row = await queries.expiring(context, run.key)
        if row is not None:
            row.expiry_announced_at = true_now(context)
            context.caller = replace(caller, user_id=row.created_by)
            await record(context, EXPIRING, view(row, true_now(context)))
            await notify_expiring(context, row)
    for topic in context.topics:
        run.services.wakeups.wake(topic)


LANE: Final = Lane(
    kind="keys",
    topic="keys",
    due="select org_id, environment, id from keys_expiring(%s)",
    drain=announce,
    at_once=10,
)
