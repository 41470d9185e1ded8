"""Who of an organisation is meant by roles and addresses. What other features call."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from bivelio_server.kit.context import Context
from bivelio_server.members import queries


class Addressee(NamedTuple):
    """A member; `email` is as they sign in with it."""

    user_id: UUID
    email: str
    role: str

    def is_meant_by(self, roles: Sequence[str], emails: Sequence[str]) -> bool:
        """Whether they have one of the roles, or one of the addresses, whatever their case."""
        return self.role in roles or self.email.lower() in {email.lower() for email in emails}


async def members_meant(context: Context, roles: Sequence[str], emails: Sequence[str]) -> list[Addressee]:
    """The members who are meant by these, in no order."""
    return [member for member in await _members(context) if member.is_meant_by(roles, emails)]


async def member_behind(context: Context) -> Addressee | None:
    """The person who asks, or who made the key that does; None when they are no member any more."""
    return next(iter(await _members(context, [context.caller.user_id])), None)


async def _members(context: Context, users: list[UUID] | None = None) -> list[Addressee]:
    return [Addressee(*row) for row in await queries.addresses(context, users)]
