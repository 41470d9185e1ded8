"""Notices: what an organisation's owners should know without asking."""

from typing import Final

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.notices import queries
from bivelio_server.notices.schemas import NoticeList, NoticePage, NoticeReference, NoticeView

# Admin, also to read: notices tell of endpoints, keys and plans, which nobody else may see, and a notice read is read
# for everybody.
feature: Final = Feature(
    "notices", doors=DIRECT_DOORS, doors_reason="they are for people: an automation must not read them away"
)


@feature.operation(
    "list", scope=Scope.admin, effect=Effect.read,
    summary=Text("Lista los avisos", "List the notices"),
)  # fmt: skip
async def list_notices(context: Context, data: NoticeList) -> NoticePage:
    rows, total = await queries.list_notices(context, data)
    notices = [NoticeView.model_validate(row) for row in rows]
    return NoticePage(notices=notices, pagination=Pagination.of(data, total))


@feature.operation(
    "read", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Marca un aviso como leído", "Mark a notice as read"),
)  # fmt: skip
async def read(context: Context, data: NoticeReference) -> NoticeView:
    row = await queries.get(context, data.id)
    if row.read_at is None:
        row.read_at, row.read_by = context.now, context.caller.actor
        await context.session.flush()
    return NoticeView.model_validate(row)
