"""The audit log: who changed what, when, and through which door."""

from typing import Final

from bivelio_server.audit import queries
from bivelio_server.audit.schemas import AuditEntryView, AuditList, AuditPage
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.text import Text

feature: Final = Feature(
    "audit", doors=DIRECT_DOORS, doors_reason="who watches over an organisation's automations is not one of them"
)


@feature.operation(
    "list", scope=Scope.admin, effect=Effect.read,
    summary=Text("Lista quién cambió qué", "List who changed what"),
)  # fmt: skip
async def list_entries(context: Context, data: AuditList) -> AuditPage:
    rows, total = await queries.list_entries(context, data)
    entries = [AuditEntryView.model_validate(row) for row in rows]
    return AuditPage(entries=entries, pagination=Pagination.of(data, total))
