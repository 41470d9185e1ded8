"""The notices that a caller may see: a sandbox credential sees those of the sandbox only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Select

from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context
from bivelio_server.kit.rows import identity, only, organisation, page_of
from bivelio_server.notices.models import Notice
from bivelio_server.notices.schemas import NoticeList

_UNMAILED: Final = """
    select n.id, n.kind, n.resource_id, n.text, n.created_at, o.name as organization, o.locale
      from notices n join organizations o on o.id = n.org_id
     where n.org_id = %(org_id)s and n.environment = %(environment)s and n.mailed_at is null
       and n.created_at > %(now)s - interval '3 days'
     order by n.created_at, n.id limit 50 for update of n
"""
_MARK_MAILED: Final = """
    update notices set mailed_at = %(now)s where org_id = %(org_id)s and id = any (%(ids)s)
"""
_OWNERS: Final = "select email from owner_addresses()"


class Unmailed(NamedTuple):
    """A notice that its owners have not been told of by e-mail, and whose it is."""

    id: str
    kind: str
    resource_id: str | None
    text: dict[str, Any]
    created_at: datetime
    organization: str
    locale: str


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


async def unmailed(context: Context) -> list[Unmailed]:
    """The oldest first, locked; those of the last three days."""
    rows = await context.session.run(_UNMAILED, {**identity(context.caller), "now": context.now})
    return [Unmailed(*row) for row in rows]


async def mark_mailed(context: Context, notice_ids: Sequence[str]) -> None:
    values = {"org_id": context.caller.org_id, "ids": list(notice_ids), "now": context.now}
    await context.session.run(_MARK_MAILED, values)


async def owner_addresses(context: Context) -> list[str]:
    """The e-mail addresses of the organisation's owners."""
    return [row.email for row in await context.session.run(_OWNERS, {})]


def _visible(context: Context) -> Select[Notice]:
    query = organisation(Notice, context.caller)
    if context.caller.environment is Environment.sandbox:
        return query.where(Notice.environment == Environment.sandbox.value)
    return query
