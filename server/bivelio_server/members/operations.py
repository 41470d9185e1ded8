"""Members: the people of an organisation, their roles, and invitations."""

from datetime import datetime, timedelta
from typing import Final

from bivelio_server.accounts.sessions import digest_of, new_secret
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, NotFound
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.members import queries
from bivelio_server.members.mailing import mail_invitation
from bivelio_server.members.membership import hold_member, refuse_owner, remove, require_may_give
from bivelio_server.members.models import Invitation, Member
from bivelio_server.members.page import PATH
from bivelio_server.members.schemas import (
    CreatedInvitation,
    InvitationList,
    InvitationPage,
    InvitationReference,
    InvitationStatus,
    InvitationView,
    MemberInvite,
    MemberList,
    MemberPage,
    MemberReference,
    MemberUpdate,
    MemberView,
)

_INVITATION_LIFE: Final = timedelta(days=7)
#: Where the dashboard will ask for a password; the token is after the mark, so that no server logs it.
_LINK: Final = PATH + "#token={token}"

feature: Final = Feature(
    "members", doors=DIRECT_DOORS, doors_reason="an automation must not be able to let people in or out"
)


@feature.operation(
    "list", scope=Scope.admin, effect=Effect.read,
    summary=Text("Lista los miembros de la organización", "List the organisation's members"),
)  # fmt: skip
async def list_members(context: Context, data: MemberList) -> MemberPage:
    rows, total = await queries.list_members(context, data)
    return MemberPage(members=await _views(context, rows), pagination=Pagination.of(data, total))


@feature.operation(
    "update", scope=Scope.admin, effect=Effect.transactional, live_only=True, errors=[NotFound, Conflict],
    summary=Text("Cambia el rol de un miembro", "Change a member's role"),
)  # fmt: skip
async def update(context: Context, data: MemberUpdate) -> MemberView:
    member = await hold_member(context, data.user_id)
    refuse_owner(member)
    await require_may_give(context, member.role)
    await require_may_give(context, data.role)
    member.role = data.role
    await context.session.flush()
    return await _view(context, member)


@feature.operation(
    "remove", scope=Scope.admin, effect=Effect.transactional, live_only=True, irreversible=True,
    errors=[NotFound, Conflict],
    summary=Text("Da de baja a un miembro y revoca sus claves", "Remove a member and revoke their keys"),
)  # fmt: skip
async def remove_member(context: Context, data: MemberReference) -> MemberView:
    member = await hold_member(context, data.user_id)
    refuse_owner(member)
    await require_may_give(context, member.role)
    view = await _view(context, member)
    await remove(context, member)
    return view


@feature.operation(
    "invite", scope=Scope.admin, effect=Effect.transactional, live_only=True, secret_output=True,
    errors=[Conflict, NotFound],
    summary=Text("Invita a una persona", "Invite a person"),
)  # fmt: skip
async def invite(context: Context, data: MemberInvite) -> CreatedInvitation:
    await queries.hold_organization(context)
    await require_may_give(context, data.role)
    if await queries.is_member(context, data.email):
        raise Conflict(_IS_MEMBER, details={"field": "email"})
    for earlier in await queries.pending_invitations_to(context, data.email):
        earlier.revoked_at = context.now
    token = new_secret()
    row = Invitation(
        org_id=context.caller.org_id, id=new_id("invite"), email=data.email, role=data.role, digest=digest_of(token),
        invited_by=context.caller.user_id, invited_by_key=context.caller.key_id, created_at=context.now,
        expires_at=context.now + _INVITATION_LIFE,
    )  # fmt: skip
    context.session.add(row)
    await context.session.flush()
    link = context.services.settings.address + _LINK.format(token=token)
    mailed = await mail_invitation(context, data.email, link)
    view = _invitation_view(row, context.now).model_dump()
    return CreatedInvitation(token=token, link=link, mailed=mailed, **view)


@feature.operation(
    "list_invitations", scope=Scope.admin, effect=Effect.read,
    summary=Text("Lista las invitaciones", "List the invitations"),
)  # fmt: skip
async def list_invitations(context: Context, data: InvitationList) -> InvitationPage:
    rows, total = await queries.list_invitations(context, data)
    views = [_invitation_view(row, context.now) for row in rows]
    return InvitationPage(invitations=views, pagination=Pagination.of(data, total))


@feature.operation(
    "revoke_invitation", scope=Scope.admin, effect=Effect.transactional, live_only=True, errors=[NotFound, Conflict],
    summary=Text("Revoca una invitación", "Revoke an invitation"),
)  # fmt: skip
async def revoke_invitation(context: Context, data: InvitationReference) -> InvitationView:
    row = await queries.get_invitation(context, data.invitation_id)
    if row.accepted_at is not None:
        raise Conflict(_IS_ACCEPTED, details={"field": "invitation_id"})
    row.revoked_at = row.revoked_at or context.now
    await context.session.flush()
    return _invitation_view(row, context.now)


async def _view(context: Context, member: Member) -> MemberView:
    return (await _views(context, [member]))[0]


async def _views(context: Context, members: list[Member]) -> list[MemberView]:
    people = await queries.people(context, [member.user_id for member in members])
    return [
        MemberView(
            user_id=member.user_id, email=people[member.user_id].email, name=people[member.user_id].name,
            role=member.role, second_factor=people[member.user_id].second_factor, created_at=member.created_at,
        )
        for member in members
    ]  # fmt: skip


def _invitation_view(row: Invitation, now: datetime) -> InvitationView:
    return InvitationView(
        invitation_id=row.id, email=row.email, role=row.role, status=_status(row, now), invited_by=row.invited_by,
        invited_by_key=row.invited_by_key, created_at=row.created_at, expires_at=row.expires_at,
        accepted_at=row.accepted_at, accepted_by=row.accepted_by, revoked_at=row.revoked_at,
    )  # fmt: skip


def _status(row: Invitation, now: datetime) -> InvitationStatus:
    if row.accepted_at is not None:
        return "accepted"
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at <= now else "pending"


_IS_MEMBER: Final = Text("Esa persona ya es miembro.", "That person is a member already.")
_IS_ACCEPTED: Final = Text(
    "La invitación ya se ha aceptado: usa members.remove.", "The invitation was accepted: use members.remove."
)
