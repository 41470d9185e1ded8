"""Queries on boxes, their members and files, each built from the caller."""

from sqlalchemy import select

from bivelio_server.boxes.models import Box, BoxMember
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.ids import is_well_formed


async def get_with_role(
    context: Context, box_id: str, *, lock: bool = False, field: str = "box_id"
) -> tuple[Box, BoxRole]:
    """A box that is not deleted, and the role of the person behind the caller. Raises NotFound, naming the input
    `field`, where they have none."""
    if not is_well_formed(box_id):
        raise NotFound(field)
    caller = context.caller
    query = (
        select(Box, BoxMember.role)
        .join(
            BoxMember,
            (BoxMember.org_id == Box.org_id)
            & (BoxMember.environment == Box.environment)
            & (BoxMember.box_id == Box.id),
        )
        .where(
            Box.org_id == caller.org_id,
            Box.environment == caller.environment.value,
            Box.id == box_id,
            Box.deleted_at.is_(None),
            BoxMember.user_id == caller.user_id,
        )
    )
    found = (await context.session.execute(query.with_for_update(of=Box) if lock else query)).first()
    if found is None:
        raise NotFound(field)
    return found.Box, BoxRole(found.role)
