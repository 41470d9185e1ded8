"""The keys that a caller may see: a sandbox credential sees sandbox keys only."""

from sqlalchemy import Select

from bivelio_server.accounts.models import APIKey
from bivelio_server.accounts.schemas import KeyList
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context
from bivelio_server.kit.rows import only, organisation, page_of


async def get_key(context: Context, key_id: str) -> APIKey:
    """Raises NotFound."""
    return await only(context.session, _visible(context), key_id)


async def list_keys(context: Context, data: KeyList) -> tuple[list[APIKey], int]:
    newest_first = _visible(context).order_by(APIKey.created_at.desc(), APIKey.id.desc())
    return await page_of(context.session, newest_first, data)


def _visible(context: Context) -> Select[APIKey]:
    query = organisation(APIKey, context.caller)
    if context.caller.environment is Environment.sandbox:
        return query.where(APIKey.environment == Environment.sandbox.value)
    return query
