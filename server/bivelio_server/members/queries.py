"""Every query on members and invitations, each built from the caller."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func

from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Database
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.rows import only, organisation, page_of
from bivelio_server.members.models import Invitation, Member
from bivelio_server.members.schemas import InvitationList, InvitationStatus, MemberList

# Rows may go on pointing at the organisation meanwhile, but who belongs to it changes one at a time.
_HOLD: Final = "select id from organizations where id = %(org_id)s and deleted_at is null for no key update"
_PEOPLE: Final = "select id, email, name, second_factor from people(%(users)s)"
_BY_EMAIL: Final = "select user_id from member_with_email(%(email)s)"
_ADDRESSES: Final = """
    select m.user_id, p.email, m.role
      from people(array(select user_id from members where org_id = %(org_id)s
                         and (%(users)s::uuid[] is null or user_id = any (%(users)s)))) p
      join members m on m.org_id = %(org_id)s and m.user_id = p.id
"""
_END_SESSIONS: Final = "select end_sessions_of_member(%(user_id)s, %(now)s)"
_CREATE_USER: Final = "select create_user(%(user_id)s, %(email)s, %(name)s, %(password_hash)s, %(now)s) as created"
_STILL_OPEN: Final = "select id from invitation_by_digest(%(digest)s) where expires_at > %(now)s"
_NAME: Final = "select name, locale from organizations where id = %(org_id)s"


async def hold_organization(context: Context) -> None:
    """Let nobody else change who belongs to the organisation until the transaction ends. Raises NotFound."""
    if not await context.session.run(_HOLD, {"org_id": context.caller.org_id}):
        raise NotFound


async def name_and_locale(context: Context) -> tuple[str, str]:
    """The organisation's name and its locale."""
    [row] = await context.session.run(_NAME, {"org_id": context.caller.org_id})
    return row.name, row.locale


async def list_members(context: Context, data: MemberList) -> tuple[list[Member], int]:
    newest_first = _members(context).order_by(Member.created_at.desc(), Member.user_id)
    return await page_of(context.session, newest_first, data)


async def find_member(context: Context, user_id: UUID) -> Member | None:
    member: Member | None = await context.session.scalar(_members(context).where(Member.user_id == user_id))
    return member


async def people(context: Context, users: list[UUID]) -> dict[UUID, Any]:
    """Address, name and whether the second factor is in use, of members."""
    rows = await context.session.run(_PEOPLE, {"users": users})
    return {row.id: row for row in rows}


async def addresses(context: Context, users: list[UUID] | None) -> list[Any]:
    """Id, address and role of these members, or of all."""
    return await context.session.run(_ADDRESSES, {"org_id": context.caller.org_id, "users": users})


async def is_member(context: Context, email: str) -> bool:
    return bool(await context.session.run(_BY_EMAIL, {"email": email}))


async def end_sessions(context: Context, user_id: UUID) -> None:
    await context.session.run(_END_SESSIONS, {"user_id": user_id, "now": context.now})


async def list_invitations(context: Context, data: InvitationList) -> tuple[list[Invitation], int]:
    query = _invitations(context).order_by(Invitation.created_at.desc(), Invitation.id.desc())
    return await page_of(context.session, _of_status(query, data.status, context.now), data)


async def get_invitation(context: Context, invitation_id: str) -> Invitation:
    """Locked. Raises NotFound."""
    return await only(context.session, _invitations(context).with_for_update(), invitation_id, field="invitation_id")


async def pending_invitations_to(context: Context, email: str) -> list[Invitation]:
    query = _of_status(_invitations(context), "pending", context.now).where(
        func.lower(Invitation.email) == email.lower()
    )
    return list(await context.session.scalars(query.with_for_update()))


async def is_still_open(context: Context, digest: bytes) -> bool:
    return bool(await context.session.run(_STILL_OPEN, {"digest": digest, "now": context.now}))


async def create_user(context: Context, user_id: UUID, email: str, name: str | None, password_hash: str) -> bool:
    """False when somebody has the address already."""
    person = {"user_id": user_id, "email": email, "name": name, "password_hash": password_hash, "now": context.now}
    return bool((await context.session.run(_CREATE_USER, person))[0].created)


async def invitation_by_digest(database: Database, digest: bytes) -> Any:
    """Organisation, id, address, role and end of an invitation that can be accepted, or None."""
    return await database.call("select org_id, id, email, role, expires_at from invitation_by_digest(%s)", (digest,))


async def invitation_by_email(database: Database, email: str, now: datetime) -> Any:
    """The newest one to that address, as `invitation_by_digest` gives it."""
    return await database.call(
        "select org_id, id, email, role, expires_at from invitation_by_email(%s, %s)", (email, now)
    )


def _members(context: Context) -> Select[Member]:
    return organisation(Member, context.caller)


def _invitations(context: Context) -> Select[Invitation]:
    return organisation(Invitation, context.caller)


def _of_status(query: Select[Invitation], status: InvitationStatus | None, now: datetime) -> Select[Invitation]:
    if status == "accepted":
        return query.where(Invitation.accepted_at.is_not(None))
    if status == "revoked":
        return query.where(Invitation.revoked_at.is_not(None))
    if status is None:
        return query
    unanswered = query.where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
    return unanswered.where(Invitation.expires_at <= now if status == "expired" else Invitation.expires_at > now)
