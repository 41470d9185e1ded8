"""The notices that a caller may see: a sandbox credential sees those of the sandbox only."""

from sqlalchemy import Select

from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context
from bivelio_server.kit.rows import only, organisation, page_of
from bivelio_server.notices.models import Notice
from bivelio_server.notices.schemas import NoticeList


async def get(context: Context, notice_id: str) -> Notice:
    """A notice, locked. Raises NotFound."""
    return await only(context.session, _visible(context).with_for_update(), notice_id)


async def list_notices(context: Context, data: NoticeList) -> tuple[list[Notice], int]:
    query = _visible(context)
    if data.unread is not None:
        query = query.where(Notice.read_at.is_(None) if data.unread else Notice.read_at.is_not(None))
    if data.kind is not None:
        query = query.where(Notice.kind == data.kind)
    return await page_of(context.session, query.order_by(Notice.created_at.desc(), Notice.id.desc()), data)


def _visible(context: Context) -> Select[Notice]:
    query = organisation(Notice, context.caller)
    if context.caller.environment is Environment.sandbox:
        return query.where(Notice.environment == Environment.sandbox.value)
    return query
