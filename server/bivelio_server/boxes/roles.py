"""The roles of a box's members, each with what the one before may do.

A viewer searches and reads, an editor changes files, an admin changes the box and its members and uses the public API,
an owner deletes the box and makes other owners.
"""

from enum import StrEnum
from typing import Final


class BoxRole(StrEnum):
    viewer = "viewer"
    editor = "editor"
    admin = "admin"
    owner = "owner"

    def covers(self, needed: "BoxRole") -> bool:
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER: Final = tuple(BoxRole)
