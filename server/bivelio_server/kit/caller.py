"""Who is asking. Every query, event and run is built from a Caller, never from a bare organisation id."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Environment(StrEnum):
    live = "live"
    sandbox = "sandbox"


class Scope(StrEnum):
    """What an operation needs. `admin` includes `write`, which includes `read`."""

    read = "read"
    write = "write"
    admin = "admin"

    @property
    def included(self) -> frozenset["Scope"]:
        return _INCLUDED[self]


_INCLUDED = {
    Scope.read: frozenset({Scope.read}),
    Scope.write: frozenset({Scope.read, Scope.write}),
    Scope.admin: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in, as its access token names it."""

    id: UUID
    user_id: UUID
    org_id: UUID
    environment: Environment


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated actor in one organisation and environment.

    `actor` is `user:<uuid>`, `key:<id>`, `workflow:<id>` or `hook:<id>`. `rights` holds what it may do, as scopes
    (`write`) and narrow scopes (`contacts:write`). `user_id` is the person behind it: itself, the key's maker, the
    workflow's activator; of a hook nobody (all zeros). `api_version` is the version of the API that its key is pinned
    to, `session_id` the sign-in of a person.
    """

    org_id: UUID
    environment: Environment
    actor: str
    user_id: UUID
    rights: frozenset[str]
    plan: str = "starter"
    on_behalf_of: str | None = None
    api_version: str | None = None
    session_id: UUID | None = None

    @property
    def principal(self) -> str:
        """The user or key whose rights are used: the actor, or the one who activated the workflow."""
        return self.on_behalf_of or self.actor

    @property
    def key_id(self) -> str | None:
        """The API key it calls with, if it does."""
        kind, _, key_id = self.actor.partition(":")
        return key_id if kind == "key" else None

    @property
    def is_person(self) -> bool:
        """Whether somebody has signed in, rather than a key or a workflow acting."""
        return self.actor.startswith("user:")

    def may(self, scope: Scope, resource: str) -> bool:
        return _allows(self.rights, scope, resource)


def intersect_rights(held: Iterable[str], limit: Iterable[str]) -> frozenset[str]:
    """The rights that both sets grant; a wide right (`write`) covers the narrow ones (`contacts:write`)."""
    mine, theirs = expand_rights(held), expand_rights(limit)
    return frozenset(
        {right for right in mine if covers(theirs, right)} | {right for right in theirs if covers(mine, right)}
    )


def covers(rights: frozenset[str], right: str) -> bool:
    """Whether one of these is the right itself, or the wide one (`write`) that covers it (`contacts:write`)."""
    return right in rights or right.rpartition(":")[2] in rights


def expand_rights(rights: Iterable[str]) -> frozenset[str]:
    """Rights with those that they include spelled out: `contacts:write` adds `contacts:read`."""
    expanded: set[str] = set()
    for right in rights:
        prefix, _, scope = right.rpartition(":")
        separator = ":" if prefix else ""
        expanded.update(f"{prefix}{separator}{included}" for included in Scope(scope).included)
    return frozenset(expanded)


def _allows(rights: frozenset[str], scope: Scope, resource: str) -> bool:
    return scope.value in rights or f"{resource}:{scope.value}" in rights
