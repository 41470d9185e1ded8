"""What one row of the permission matrix needs to know about an operation."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bivelio_server.kit.caller import Environment
from tests.world import Client, Organization

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Scene:
    """Where a sample is arranged: an organisation, and a client of all rights in one of its environments.

    `asking` is who will ask, where that matters: for the operations on one's own account.
    """

    organization: Organization
    environment: Environment = Environment.live
    asking: Client | None = None

    @property
    def client(self) -> Client:
        return self.organization.live if self.environment is Environment.live else self.organization.sandbox


@dataclass(frozen=True)
class Sample:
    """A request that succeeds for the owner of a fresh organisation.

    `arrange` makes what the request names and returns the request's `data`; every call makes it anew. The data must
    hold every id-like field of the operation's input (`id`, `…_id`, `…_ids`), except those named in `not_ours`, which
    are ids of outside systems. `of_organization` says that live and sandbox share the resource, as they share members.
    `environment` is the one in which it may be called at all. `ends_organization`: there is none left afterwards.
    `refused_to_owner`: it is a 409 for the owner. `reaches_further`: what it makes does more than its own resource's
    scopes allow. `keys_need` is the scope that API keys need, where that is wider than the one declared for people.
    """

    arrange: Callable[[Scene], Awaitable[dict[str, Any]]]
    not_ours: frozenset[str] = frozenset()
    of_organization: bool = False
    environment: Environment = Environment.live
    ends_organization: bool = False
    refused_to_owner: bool = False
    reaches_further: bool = False
    keys_need: str | None = None


Samples: TypeAlias = Mapping[str, Sample]


def fixed(data: dict[str, Any]) -> Sample:
    """A sample that names no resource."""

    async def arrange(_scene: Scene) -> dict[str, Any]:
        return data

    return Sample(arrange)


def id_paths(data: Any, sample: Sample, path: Path = ()) -> Iterator[Path]:
    """Where `data` names resources: `("id",)`, `("items", 0, "contact_id")`."""
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for name, value in children:
        here = (*path, name)
        if isinstance(value, str) and _names_resource(here, sample):
            yield here
        else:
            yield from id_paths(value, sample, here)


def id_names(schema: Any) -> frozenset[str]:
    """The id-like fields anywhere in a JSON schema."""
    if isinstance(schema, list):
        return frozenset().union(*map(id_names, schema))
    if not isinstance(schema, dict):
        return frozenset()
    here = {name for name in schema.get("properties", {}) if is_id_like(name)}
    return frozenset(here).union(*map(id_names, schema.values()))


def is_id_like(name: str) -> bool:
    return name == "id" or name.endswith(("_id", "_ids"))


def field_of(path: Path) -> str:
    """The last name in a path: `ids` of `("ids", 0)`."""
    return next(str(part) for part in reversed(path) if isinstance(part, str))


def read(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def replaced(data: Any, path: Path, value: Any) -> Any:
    """A copy of `data` with another value at `path`."""
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy


def without(data: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def _names_resource(path: Path, sample: Sample) -> bool:
    name = field_of(path)
    return is_id_like(name) and name not in sample.not_ours
