"""Who is a member of a box, and what they may do in it."""

from typing import Final
from uuid import UUID

from bivelio_server.boxes import queries
from bivelio_server.boxes.access import require
from bivelio_server.boxes.limits import MAX_MEMBERS, TOO_MANY_MEMBERS
from bivelio_server.boxes.models import Box, BoxMember
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.boxes.schemas import (
    BoxMemberGone,
    BoxMemberPage,
    BoxMemberView,
    BoxReference,
    MemberRemove,
    MemberSet,
    MembersList,
)
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, InsufficientScope, NotFound
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text
from bivelio_server.members.membership import role_of

feature: Final = Feature(
    "boxes", doors=DIRECT_DOORS, doors_reason="an automation must not be able to show people what is in a box"
)


@feature.operation(
    "set_member", path="/v1/boxes/members/set", action="set", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound, Conflict],
    summary=Text("Da a un miembro de la organización un rol en una caja", "Give a member of the organisation a role"),
)  # fmt: skip
async def set_member(context: Context, data: MemberSet) -> BoxMemberView:
    box, own = await _managed(context, data.box_id)
    user_id = await _member_of_organization(context, data.email)
    member = await queries.find_member(context, box.id, user_id)
    _require_may_change(own, member, data.role)
    await _keep_an_owner(context, member, data.role)
    before = member.role if member else None
    if member is None:
        if await queries.count_members(context, box.id) >= MAX_MEMBERS:
            raise Conflict(TOO_MANY_MEMBERS, details={"field": "box_id", "maximum": MAX_MEMBERS})
        member = BoxMember(**identity(context.caller), box_id=box.id, user_id=user_id, created_at=context.now)
        context.session.add(member)
    member.role = data.role.value
    await context.session.flush()
    _tell(context, box.id, user_id, before, member.role)
    return (await _views(context, [member]))[0]


@feature.operation(
    "list_members", path="/v1/boxes/members/list", action="list", scope=Scope.read, effect=Effect.read,
    errors=[NotFound],
    summary=Text("Lista los miembros de una caja", "List the members of a box"),
)  # fmt: skip
async def list_members(context: Context, data: MembersList) -> BoxMemberPage:
    await _opened(context, data.box_id, BoxRole.viewer)
    rows, total = await queries.list_members(context, data)
    return BoxMemberPage(members=await _views(context, rows), pagination=Pagination.of(data, total))


@feature.operation(
    "remove_member", path="/v1/boxes/members/remove", action="remove", scope=Scope.write, effect=Effect.transactional,
    errors=[NotFound, Conflict],
    summary=Text("Quita a un miembro de una caja", "Remove a member from a box"),
)  # fmt: skip
async def remove_member(context: Context, data: MemberRemove) -> BoxMemberGone:
    box, own = await _managed(context, data.box_id)
    member = await queries.find_member(context, box.id, await _member_of_organization(context, data.email))
    if member is None:
        raise NotFound("email")
    _require_may_change(own, member, None)
    return await _remove(context, member)


@feature.operation(
    "leave", path="/v1/boxes/members/leave", scope=Scope.read, effect=Effect.transactional, errors=[NotFound, Conflict],
    summary=Text("Deja de ser miembro de una caja", "Stop being a member of a box"),
)  # fmt: skip
async def leave(context: Context, data: BoxReference) -> BoxMemberGone:
    box, _ = await queries.get_with_role(context, data.box_id, lock=True)
    member = await queries.find_member(context, box.id, context.caller.user_id)
    assert member is not None, "whoever is none does not find the box"
    return await _remove(context, member)


async def _managed(context: Context, box_id: str) -> tuple[Box, BoxRole]:
    """Locked, so that the last owner stays one. Raises NotFound, InsufficientScope."""
    return await _opened(context, box_id, BoxRole.admin, lock=True)


async def _opened(context: Context, box_id: str, needed: BoxRole, *, lock: bool = False) -> tuple[Box, BoxRole]:
    """Of any box the organisation's owner, signed in, may say who its members are: none is lost with its people."""
    if context.caller.is_person and await role_of(context) == "owner":
        return await queries.get_box(context, box_id, lock=lock), BoxRole.owner
    box, role = await queries.get_with_role(context, box_id, lock=lock)
    require(role, needed)
    return box, role


async def _member_of_organization(context: Context, email: str) -> UUID:
    """They stay one until the transaction ends. Raises NotFound."""
    user_id = await queries.member_with_email(context, email)
    if user_id is None or not await queries.hold_member_of_organization(context, user_id):
        raise NotFound("email")
    return user_id


def _require_may_change(own: BoxRole, member: BoxMember | None, role: BoxRole | None) -> None:
    if BoxRole.owner in (role, member and member.role) and own is not BoxRole.owner:
        raise InsufficientScope(_OWNERS_ONLY, details={"field": "role" if role else "email"})


async def _keep_an_owner(context: Context, member: BoxMember | None, role: BoxRole | None) -> None:
    if member is None or member.role != BoxRole.owner or role is BoxRole.owner:
        return
    if await queries.count_members(context, member.box_id, BoxRole.owner) == 1:
        raise Conflict(_LAST_OWNER, details={"field": "role" if role else "box_id"})


async def _remove(context: Context, member: BoxMember) -> BoxMemberGone:
    await _keep_an_owner(context, member, None)
    await context.session.delete(member)
    await context.session.flush()
    _tell(context, member.box_id, member.user_id, member.role, None)
    return BoxMemberGone(box_id=member.box_id, user_id=member.user_id, removed=True)


def _tell(context: Context, box_id: str, user_id: UUID, before: str | None, after: str | None) -> None:
    if before != after:
        context.changed("boxes", box_id, {"members": {str(user_id): before}}, {"members": {str(user_id): after}})


async def _views(context: Context, members: list[BoxMember]) -> list[BoxMemberView]:
    people = await queries.people(context, [member.user_id for member in members])
    return [
        BoxMemberView(
            box_id=member.box_id, user_id=member.user_id, email=people[member.user_id].email,
            name=people[member.user_id].name, role=BoxRole(member.role).value, created_at=member.created_at,
        )
        for member in members
    ]  # fmt: skip


_OWNERS_ONLY: Final = Text(
    "Solo un propietario de la caja puede nombrar o cambiar a otro.",
    "Only an owner of the box can make or change another.",
)
_LAST_OWNER: Final = Text(
    "Es el último propietario de la caja: antes nombra a otro.",
    "They are the last owner of the box: make another first.",
)
