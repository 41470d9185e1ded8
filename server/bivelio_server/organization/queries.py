"""Every query on the organisation, built from the caller."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.organization.models import Organization

_MINE: Final = "select id, name, plan, role, created_at from organizations_of(%(user_id)s)"
_OWN_ALONE: Final = "select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'owner', %(user_id)s::uuid), 0))"
_SESSION: Final = """
    select a.email, s.address, s.user_agent
      from account_of(%(user_id)s) a
      left join sessions_of(%(user_id)s, %(now)s) s on s.id = %(session_id)s
"""
_CREATE: Final = "select create_organization(%(id)s, %(name)s, %(user_id)s, %(now)s)"
_STOP: Final = "select stop_organization(%(now)s)"


async def get_organization(context: Context) -> Organization:
    return await _only(context, _own(context))


async def hold_organization(context: Context, *, ending: bool = False) -> Organization:
    """The organisation, while nobody else changes it; while it ends, nobody signs in to it or adds to it either."""
    return await _only(context, _own(context).with_for_update(key_share=not ending))


async def list_organizations(context: Context) -> list[Any]:
    """Those that the caller's person belongs to, longest first."""
    return await context.session.run(_MINE, {"user_id": context.caller.user_id})


async def list_organizations_alone(context: Context, user_id: UUID) -> list[Any]:
    """Those that a person belongs to; until the transaction ends, nobody else gets to list them in this way."""
    await context.session.run(_OWN_ALONE, {"user_id": user_id})
    return await context.session.run(_MINE, {"user_id": user_id})


async def present_session(context: Context) -> Any:
    """The e-mail of the caller's person, and address and user agent of the session that they use."""
    rows = await context.session.run(
        _SESSION, {"user_id": context.caller.user_id, "session_id": context.caller.session_id, "now": context.now}
    )
    return rows[0]


async def create_organization(context: Context, org_id: UUID, name: str) -> None:
    made = {"id": org_id, "name": name, "user_id": context.caller.user_id, "now": context.now}
    await context.session.run(_CREATE, made)


async def stop_organization(context: Context) -> None:
    """End its memberships, and with them keys, invitations and sessions; its deliveries and runs, everywhere."""
    await context.session.run(_STOP, {"now": context.now})


def _own(context: Context) -> Select[Organization]:
    return select(Organization).where(Organization.id == context.caller.org_id, Organization.deleted_at.is_(None))


async def _only(context: Context, query: Select[Organization]) -> Organization:
    organization: Organization | None = await context.session.scalar(query)
    if organization is None:
        raise NotFound
    return organization
