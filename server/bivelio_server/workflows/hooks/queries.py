"""Every query on hooks: those of the caller, and what is asked before there is one."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from bivelio_server.kit.admission import Limits
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Database
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.rows import business, identity
from bivelio_server.workflows.hooks.models import WorkflowHook

_OPEN: Final = """
    select org_id, environment, workflow_id, plan, secret, previous_secret, previous_until from open_hook(%s)
"""
_ADMIT: Final = """
    select per_minute, per_second, remaining, resets_at, retry_after, burst from admit_by_hook(%s, %s)
"""
# To the minute, and by whoever comes first: many may call at once.
_TOUCH: Final = """
    update workflow_hooks set last_used_at = %(now)s
     where ctid = (select h.ctid from workflow_hooks h
                    where h.org_id = %(org_id)s and h.environment = %(environment)s and h.id = %(id)s
                      and (h.last_used_at is null or h.last_used_at < %(now)s - interval '1 minute')
                      for no key update skip locked)
"""


class OpenHook(NamedTuple):
    """A hook that can start its workflow, as its id found it."""

    id: str
    org_id: UUID
    environment: Environment
    workflow_id: str
    plan: str
    secret: bytes | None
    previous_secret: bytes | None
    previous_until: datetime | None


async def open_hook(database: Database, hook_id: str) -> OpenHook | None:
    """None too for a hook whose workflow is not active, is gone, or is started otherwise by now."""
    row = await database.call(_OPEN, (hook_id,)) if is_well_formed(hook_id) else None
    if row is None:
        return None
    org_id, environment, *rest = row
    return OpenHook(hook_id, org_id, Environment(environment), *rest)


async def admit(database: Database, hook_id: str, now: datetime) -> Limits | None:
    """Charge a request to the organisation of the hook; None for a plan without limits."""
    row = await database.call(_ADMIT, (hook_id, now))
    if row is None or row[0] is None:
        return None
    per_minute, per_second, remaining, resets_at, retry_after, burst = row
    return Limits(per_minute, per_second, remaining, resets_at, retry_after, bool(burst))


async def find(context: Context, workflow_id: str) -> WorkflowHook | None:
    """The hook of a workflow."""
    query = business(WorkflowHook, context.caller).where(WorkflowHook.workflow_id == workflow_id)
    found: WorkflowHook | None = await context.session.scalar(query)
    return found


async def touch(context: Context, hook_id: str) -> None:
    """Note that the hook is used."""
    await context.session.run(_TOUCH, {**identity(context.caller), "id": hook_id, "now": context.now})
