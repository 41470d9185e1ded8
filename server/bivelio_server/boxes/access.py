"""Who may do what in a box: the role that the person behind the caller has there, and nothing else.

A role in the organisation opens no box: what people put in a box is for its members.
"""

from typing import Final

from bivelio_server.boxes import queries
from bivelio_server.boxes.models import Box
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import InsufficientScope
from bivelio_server.kit.text import Text


async def get_box(context: Context, box_id: str, needed: BoxRole, *, lock: bool = False) -> Box:
    """A box in which the caller has at least the role `needed`.

    Raises NotFound where they have none, as for a box that is not there; InsufficientScope where theirs is too small.
    """
    box, role = await queries.get_with_role(context, box_id, lock=lock)
    require(role, needed)
    return box


def require(role: BoxRole, needed: BoxRole) -> None:
    """Raises InsufficientScope."""
    if not role.covers(needed):
        raise InsufficientScope(_TOO_SMALL.format(role=role.value, needed=needed.value), details={"field": "box_id"})


_TOO_SMALL: Final = Text(
    "Tu rol en esta caja es {role} y hace falta {needed}.", "Your role in this box is {role}; {needed} is needed."
)
