"""Every query on the sandbox of the caller; what moves or clears it are functions of the database."""

from datetime import timedelta
from typing import Final

from psycopg.errors import ForeignKeyViolation

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict

_AHEAD: Final = "select sandbox_ahead(%(org_id)s, 'sandbox') as ahead"
_ADVANCE: Final = "select advance_sandbox_clock(%(by)s, %(now)s) as ahead"
_RESET: Final = "select reset_sandbox() as removed"


async def ahead(context: Context) -> timedelta:
    """How far the clock of the sandbox is ahead."""
    [row] = await context.session.run(_AHEAD, {"org_id": context.caller.org_id})
    found: timedelta = row.ahead
    return found


async def advance(context: Context, by: timedelta) -> timedelta:
    """Move the clock and make the sleeping tasks due as much earlier; how far ahead it is now."""
    [row] = await context.session.run(_ADVANCE, {"by": by, "now": context.services.clock.outside()})
    found: timedelta = row.ahead
    return found


async def reset(context: Context) -> int:
    """Remove everything and set the clock right; how many rows. Raises Conflict while somebody writes there."""
    try:
        [row] = await context.session.run(_RESET, {})
    except ForeignKeyViolation:
        raise Conflict from None
    removed: int = row.removed
    return removed
