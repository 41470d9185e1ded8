"""Ids: TypeIDs, text that carries its kind (`ct_01j…`) and sorts by time of creation."""

import re
from typing import Final
from uuid import UUID

from typeid import TypeID

from bivelio_server.kit.errors import NotFound

_WELL_FORMED: Final = re.compile(r"[a-z]{1,12}_[0-9A-Za-z_]{1,60}")


def new_id(prefix: str) -> str:
    return str(TypeID(prefix=prefix))


def is_well_formed(value: str) -> bool:
    """Whether `value` could be an id at all; a malformed one is simply a missing resource."""
    return _WELL_FORMED.fullmatch(value) is not None


def uuid_of(value: str, field: str) -> UUID:
    """The id of an organisation, a person or a session. Raises NotFound, naming the input `field`."""
    try:
        return UUID(value)
    except ValueError:
        raise NotFound(field) from None
