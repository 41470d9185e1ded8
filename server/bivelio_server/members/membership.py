"""Who belongs to an organisation, and who may change that. What other features call."""

from typing import Final, cast
from uuid import UUID

from bivelio_server.accounts.roles import Role
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, InsufficientScope, NotFound
from bivelio_server.kit.ids import uuid_of
from bivelio_server.kit.text import Text
from bivelio_server.members import queries
from bivelio_server.members.models import Member

_RANKS: Final = {"viewer": 0, "editor": 1, "admin": 2, "owner": 3}
#: What a credential must be allowed everywhere to give or take a role. Letting somebody look is what `members:admin`
#: is for.
_NEEDED: Final = {"viewer": None, "editor": Scope.write, "admin": Scope.admin, "owner": Scope.admin}


async def hold_member(context: Context, user_id: str) -> Member:
    """The member, while nobody else can change who belongs to the organisation. Raises NotFound."""
    wanted = uuid_of(user_id, "user_id")
    await queries.hold_organization(context)
    member = await queries.find_member(context, wanted)
    if member is None:
        raise NotFound("user_id")
    return member


async def require_may_give(context: Context, role: str) -> None:
    """Raises InsufficientScope when the role is more than the caller's, as a person or as a credential."""
    own, needed = await _own_role(context), _NEEDED[role]
    if own is None or _RANKS[role] > _RANKS[own] or (needed is not None and needed.value not in context.caller.rights):
        raise InsufficientScope(_BEYOND_RIGHTS.format(role=role), details={"field": "role"})


async def remove(context: Context, member: Member) -> None:
    """Their sessions here end, and with the row go the keys and the invitations that they made. Raises Conflict."""
    refuse_owner(member)
    await queries.end_sessions(context, member.user_id)
    await context.session.delete(member)
    await context.session.flush()


async def leave(context: Context) -> None:
    """Raises Conflict for the owner."""
    await remove(context, await hold_member(context, str(context.caller.user_id)))


async def hand_over(context: Context, user_id: str) -> UUID:
    """Make another member the owner, and the owner an admin. Raises NotFound, InsufficientScope."""
    successor = await hold_member(context, user_id)
    owner = await require_owner(context)
    if successor is owner:
        return owner.user_id
    owner.role = "admin"
    await context.session.flush()  # there is one owner at any time, so the old one goes first
    successor.role = "owner"
    await context.session.flush()
    return successor.user_id


async def require_owner(context: Context) -> Member:
    """The caller's own row. Raises InsufficientScope."""
    member = await queries.find_member(context, context.caller.user_id)
    if member is None or member.role != "owner":
        raise InsufficientScope(_OWNER_ONLY, details={"required": "owner"})
    return member


async def role_of(context: Context) -> Role:
    """The role of the caller's person, now. Raises NotFound when they are no member any more."""
    member = await queries.find_member(context, context.caller.user_id)
    if member is None:
        raise NotFound
    return cast("Role", member.role)


def refuse_owner(member: Member) -> None:
    if member.role == "owner":
        raise Conflict(_OWNER_STAYS, details={"field": "user_id"})


async def _own_role(context: Context) -> str | None:
    member = await queries.find_member(context, context.caller.user_id)
    return member.role if member else None


_BEYOND_RIGHTS: Final = Text(
    "No puedes dar ni quitar el rol {role} porque supera lo que tú puedes hacer.",
    "You can neither give nor take the role {role} since it exceeds what you may do.",
)
_OWNER_ONLY: Final = Text(
    "Solo el propietario de la organización puede hacerlo.", "Only the organisation's owner may do this."
)
_OWNER_STAYS: Final = Text(
    "Es el propietario: antes debe transferir la organización (organization.transfer).",
    "They are the owner: the organisation must be handed over first (organization.transfer).",
)
