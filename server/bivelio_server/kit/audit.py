"""The audit log: who changed what, through which door, written in the transaction of the change."""

from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.changes import Change
from bivelio_server.kit.context import Context
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import identity

_NOTHING: Final = Change("", "", None, None)
_WRITE: Final = """
    insert into audit_log (org_id, id, environment, at, operation, actor, on_behalf_of, door, cause, request_id,
                           address, resource_type, resource_id, before, after)
    select %(org_id)s, c.id, %(environment)s, %(at)s, %(operation)s, %(actor)s, %(on_behalf_of)s, %(door)s, %(cause)s,
           %(request_id)s, %(address)s, nullif(c.resource_type, ''), nullif(c.resource_id, ''), c.before, c.after
      from jsonb_to_recordset(cast(%(changes)s as jsonb))
        as c (id text, resource_type text, resource_id text, before jsonb, after jsonb)
"""


async def write(context: Context, operation: str, *, complete: bool = True) -> None:
    """One entry for each row that the transaction changed since the last call.

    A `complete` operation has an entry even if it changed nothing.
    """
    await context.session.flush_changes()
    changes = context.session.take_changes() or ([_NOTHING] if complete else [])
    if not changes:
        return
    await context.session.run(
        _WRITE,
        {
            **identity(context.caller),
            "at": context.services.clock.outside(),
            "operation": operation,
            "actor": context.caller.actor,
            "on_behalf_of": context.caller.on_behalf_of,
            "door": context.origin.door.value,
            "cause": context.cause.origin,
            "request_id": context.origin.request_id,
            "address": context.origin.address,
            "changes": json.dumps([_entry(change) for change in changes]).decode(),
        },
    )


def _entry(change: Change) -> dict[str, Any]:
    return {
        "id": new_id("aud"),
        "resource_type": change.resource_type,
        "resource_id": change.resource_id,
        "before": change.before,
        "after": change.after,
    }
