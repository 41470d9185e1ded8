"""The audit log, built from the caller: each environment has its own."""

from sqlalchemy import Select, or_

from bivelio_server.audit.models import AuditEntry
from bivelio_server.audit.schemas import AuditList
from bivelio_server.kit.context import Context
from bivelio_server.kit.rows import organisation, page_of


async def list_entries(context: Context, data: AuditList) -> tuple[list[AuditEntry], int]:
    """One page, newest first, and how many there are in all."""
    return await page_of(
        context.session, _found(context, data).order_by(AuditEntry.at.desc(), AuditEntry.id.desc()), data
    )


def _found(context: Context, data: AuditList) -> Select[AuditEntry]:
    query = organisation(AuditEntry, context.caller).where(AuditEntry.environment == context.caller.environment.value)
    for name in ("operation", "door", "resource_type", "resource_id", "request_id"):
        value = getattr(data, name)
        if value is not None:
            query = query.where(getattr(AuditEntry, name) == value)
    if data.actor is not None:
        query = query.where(or_(AuditEntry.actor == data.actor, AuditEntry.on_behalf_of == data.actor))
    if data.since is not None:
        query = query.where(AuditEntry.at >= data.since)
    if data.until is not None:
        query = query.where(AuditEntry.at < data.until)
    return query
