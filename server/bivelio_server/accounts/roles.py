"""Roles, what each may do, and the rights of a credential."""

from functools import lru_cache
from typing import Final, Literal

from bivelio_server.kit.caller import intersect_rights

Role = Literal["owner", "admin", "editor", "viewer"]
Plan = Literal["starter", "pro", "enterprise"]
KeyType = Literal["secret", "publishable"]

RIGHTS: Final[dict[str, frozenset[str]]] = {
    "owner": frozenset({"admin"}),
    "admin": frozenset({"admin"}),
    "editor": frozenset({"write"}),
    "viewer": frozenset({"read"}),
}


@lru_cache(maxsize=4096)
def rights_of(role: str, scopes: tuple[str, ...] = ("admin",), key_type: str = "secret") -> frozenset[str]:
    """What a credential with `scopes` may do while its person has `role`; a publishable key only reads."""
    limit = scopes if key_type == "secret" else tuple(intersect_rights(scopes, ("read",)))
    return intersect_rights(RIGHTS[role], limit)
