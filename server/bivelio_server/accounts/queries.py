"""The keys that a caller may see: a sandbox credential sees sandbox keys only."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select

from bivelio_server.accounts.models import APIKey
from bivelio_server.accounts.roles import rights_of
from bivelio_server.accounts.schemas import KeyList
from bivelio_server.accounts.times import true_now
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotAuthenticated
from bivelio_server.kit.rows import only, organisation, page_of

_MANAGE: Final = "select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'api_keys', %(org_id)s::uuid), 0))"
_LINEAGE: Final = """
    with recursive made as (
        select id from api_keys where org_id = %(org_id)s and id = %(id)s
         union
        select k.id from api_keys k join made on k.created_by_key = made.id where k.org_id = %(org_id)s
    )
    select id from made
"""
_PRESENT_RIGHTS: Final = "select scopes, role, key_type from present_rights(%(actor)s, %(now)s)"
_NOTICE_BROWSER: Final = """
    update api_keys set browser_noticed_at = %(now)s
     where org_id = %(org_id)s and id = %(id)s
       and (browser_noticed_at is null or browser_noticed_at <= %(before)s)
    returning id
"""
_USAGE: Final = """
    select u.day, u.operation, u.requests, u.errors, u.refused
      from usage_daily u join organizations o on o.id = u.org_id
     where u.org_id = %(org_id)s and u.environment = %(environment)s and u.key_id = %(id)s
       and u.day > (%(now)s at time zone o.timezone)::date - %(days)s::int
     order by u.day desc, u.requests desc, u.operation
"""
_RECENT_CALLERS: Final = """
    select address, user_agent, count(*) as requests, max(at) as last_seen_at from request_log
     where org_id = %(org_id)s and environment = %(environment)s and key_id = %(id)s and at > %(since)s
     group by 1, 2 order by last_seen_at desc limit 50
"""


async def get_key(context: Context, key_id: str) -> APIKey:
    """Raises NotFound."""
    return await only(context.session, _visible(context), key_id)


async def list_keys(context: Context, data: KeyList) -> tuple[list[APIKey], int]:
    newest_first = _visible(context).order_by(APIKey.created_at.desc(), APIKey.id.desc())
    return await page_of(context.session, newest_first, data)


async def manage(context: Context) -> APIKey | None:
    """Be alone with the organisation's keys until the transaction ends: who makes one cannot be revoked meanwhile.

    Returns the key that the caller uses, if it does. Raises NotAuthenticated when it was revoked just before.
    """
    await context.session.run(_MANAGE, {"org_id": context.caller.org_id})
    if context.caller.key_id is None:
        return None
    own: APIKey | None = await context.session.scalar(
        organisation(APIKey, context.caller).where(APIKey.id == context.caller.key_id, APIKey.revoked_at.is_(None))
    )
    if own is None:
        raise NotAuthenticated
    return own


async def lineage(context: Context, key_id: str) -> list[APIKey]:
    """The key, all that it made, and what these made."""
    rows = await context.session.run(_LINEAGE, {"org_id": context.caller.org_id, "id": key_id})
    keys = organisation(APIKey, context.caller).where(APIKey.id.in_([row.id for row in rows])).order_by(APIKey.id)
    return list(await context.session.scalars(keys))


async def present_rights(context: Context, actor: str) -> frozenset[str]:
    """What `user:<id>` or `key:<id>` may do now."""
    rows = await context.session.run(_PRESENT_RIGHTS, {"actor": actor, "now": true_now(context)})
    return rights_of(rows[0].role, tuple(rows[0].scopes), rows[0].key_type) if rows else frozenset()


async def usage(context: Context, key: APIKey, days: int) -> list[Any]:
    """What the key has asked for, by day and operation."""
    wanted = {
        "org_id": key.org_id,
        "environment": key.environment,
        "id": key.id,
        "now": true_now(context),
        "days": days,
    }
    return await context.session.run(_USAGE, wanted)


async def recent_callers(context: Context, key: APIKey, since: datetime) -> list[Any]:
    """From where the key was used lately."""
    wanted = {"org_id": key.org_id, "environment": key.environment, "id": key.id, "since": since}
    return await context.session.run(_RECENT_CALLERS, wanted)


async def expiring(context: Context, key_id: str) -> APIKey | None:
    """The key, locked, if its end is near and not yet told."""
    key: APIKey | None = await context.session.scalar(
        organisation(APIKey, context.caller)
        .where(
            APIKey.id == key_id,
            APIKey.expiry_notice_at <= true_now(context),
            APIKey.expiry_announced_at.is_(None),
            APIKey.revoked_at.is_(None),
            APIKey.retires_at.is_(None),
        )
        .with_for_update()
    )
    return key


async def notice_in_browser(context: Context, *, unless_since: datetime) -> APIKey | None:
    """Remember that the caller's key was seen in a browser; None if that was noticed after `unless_since`."""
    values = {
        "org_id": context.caller.org_id,
        "id": context.caller.key_id,
        "now": true_now(context),
        "before": unless_since,
    }
    rows = await context.session.run(_NOTICE_BROWSER, values)
    return await get_key(context, rows[0].id) if rows else None


def _visible(context: Context) -> Select[APIKey]:
    query = organisation(APIKey, context.caller)
    if context.caller.environment is Environment.sandbox:
        return query.where(APIKey.environment == Environment.sandbox.value)
    return query
