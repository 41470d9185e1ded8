"""The keys that a caller may see: a sandbox credential sees sandbox keys only."""

from typing import Final

from sqlalchemy import Select

from bivelio_server.accounts.models import APIKey
from bivelio_server.accounts.schemas import KeyList
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotAuthenticated
from bivelio_server.kit.rows import only, organisation, page_of

_HOLD: Final = """
    select id from api_keys where org_id = %(org_id)s and id = %(id)s and revoked_at is null for share
"""
_REVOKE: Final = """
    with recursive made as (
        select id from api_keys where org_id = %(org_id)s and id = %(id)s
         union
        select k.id from api_keys k join made on k.created_by_key = made.id where k.org_id = %(org_id)s
    )
    update api_keys k set revoked_at = %(now)s from made
     where k.org_id = %(org_id)s and k.id = made.id and k.revoked_at is null
    returning k.id
"""


async def get_key(context: Context, key_id: str) -> APIKey:
    """Raises NotFound."""
    return await only(context.session, _visible(context), key_id)


async def list_keys(context: Context, data: KeyList) -> tuple[list[APIKey], int]:
    newest_first = _visible(context).order_by(APIKey.created_at.desc(), APIKey.id.desc())
    return await page_of(context.session, newest_first, data)


async def revoke(context: Context, key_id: str) -> None:
    """Revoke the key and all that it made, and these made: none may do more than its maker.

    Looked for again until there is none: one may have been made while its maker's row was waited for.
    """
    while await context.session.run(_REVOKE, {"org_id": context.caller.org_id, "id": key_id, "now": context.now}):
        pass


async def hold_maker(context: Context) -> None:
    """Keep the key that the caller uses from being revoked until the transaction ends. Raises NotAuthenticated."""
    key = {"org_id": context.caller.org_id, "id": context.caller.key_id}
    if context.caller.key_id is not None and not await context.session.run(_HOLD, key):
        raise NotAuthenticated


def _visible(context: Context) -> Select[APIKey]:
    query = organisation(APIKey, context.caller)
    if context.caller.environment is Environment.sandbox:
        return query.where(APIKey.environment == Environment.sandbox.value)
    return query
