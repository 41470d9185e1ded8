"""Versions of the API: dates, and how callers who stay with an earlier one keep its shapes.

A caller states one in the header `BiVelio-Version`; else the one counts that its key was pinned to when it was made.
The code knows the newest shapes only. A breaking change is declared as a `VersionChange`, which turns the input of
older callers into today's and today's output and events into theirs. Additions are no breaking change and need none.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, WithJsonSchema

from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.json import JSONValue
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError

HEADER: Final = "BiVelio-Version"
JSONObject: TypeAlias = dict[str, Any]
Convert: TypeAlias = Callable[[JSONObject], JSONObject]


@dataclass(frozen=True, slots=True)
class Version:
    """`date` names it, as 2026-04-07."""

    date: str
    summary: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChange:
    """What `version` broke in one operation, in events, or in both, and how older callers are spared.

    `upgrade_input` gets the JSON object as it was sent: not validated yet, so it takes whatever an object may hold and
    leaves alone what it does not know. `downgrade_output` gets what the output model dumps. `downgrade_event` gets the
    event's name and its `data`. All may change what they are given, and return it.
    """

    version: str
    summary: Text
    operation: str | None = None
    upgrade_input: Convert | None = None
    downgrade_output: Convert | None = None
    events: frozenset[str] = frozenset()
    downgrade_event: Callable[[str, JSONObject], JSONObject] | None = None


class Versions:
    """All versions, oldest first, and what changed between them."""

    def __init__(self, versions: Sequence[Version], changes: Sequence[VersionChange] = ()) -> None:
        self._dates = [version.date for version in versions]
        if self._dates != sorted(set(self._dates)):
            raise ValueError("versions are listed oldest first, each once")
        if unknown := {change.version for change in changes} - set(self._dates[1:]):
            raise ValueError(f"a change comes with a version after the first: {', '.join(sorted(unknown))}")
        self.changes = tuple(sorted(changes, key=lambda change: change.version))
        self._all = tuple(versions)
        self._of_operation = _by_name((change.operation, change) for change in self.changes if change.operation)
        self._of_event = _by_name((event, change) for change in self.changes for event in change.events)

    @property
    def dates(self) -> Sequence[str]:
        return self._dates

    def __iter__(self) -> Iterator[Version]:
        return iter(self._all)

    @property
    def newest(self) -> str:
        return self._dates[-1]

    def or_newest(self, version: str | None) -> str:
        """The version if there is such a one; a key may come from a newer server than this."""
        return version if version in self._dates else self.newest

    def chosen(self, stated: str | None, pinned: str | None) -> str:
        """The version of a request: the one that its header states, else the caller's own. Raises ValidationFailed."""
        if stated is None:
            return self.or_newest(pinned)
        if stated not in self._dates:
            raise ValidationFailed(Problem(HEADER, "one_of", _UNKNOWN.format(known=", ".join(self._dates))))
        return stated

    def input_data(self, version: str, operation: str, data: JSONValue) -> JSONValue:
        """What a caller of `version` sent, as the operation takes it today."""
        for change in self._since(version, self._of_operation.get(operation)):
            if change.upgrade_input is not None and isinstance(data, dict):
                data = change.upgrade_input(data)
        return data

    def output_data(self, version: str, operation: str, output: JSONObject) -> JSONObject:
        """What the operation gives today, as a caller of `version` knows it."""
        for change in reversed(self._since(version, self._of_operation.get(operation))):
            if change.downgrade_output is not None:
                output = change.downgrade_output(output)
        return output

    def event_data(self, version: str | None, event: str, data: JSONObject) -> JSONObject:
        """The `data` of an event, as an endpoint with this `payload_version` knows it; `data` itself stays as it is."""
        changes = self._since(self.or_newest(version), self._of_event.get(event))
        if changes:
            data = copy.deepcopy(data)
        for change in reversed(changes):
            if change.downgrade_event is not None:
                data = change.downgrade_event(event, data)
        return data

    def _since(self, version: str, changes: Sequence[VersionChange] | None) -> Sequence[VersionChange]:
        if not changes or version == self.newest:
            return ()
        return [change for change in changes if change.version > version]


def _by_name(changes: Iterable[tuple[str, VersionChange]]) -> dict[str, list[VersionChange]]:
    named: dict[str, list[VersionChange]] = defaultdict(list)
    for name, change in changes:
        named[name].append(change)
    return dict(named)


_UNKNOWN: Final = Text(
    "La cabecera 'BiVelio-Version' debe ser una versión de la API: {known}.",
    "The header 'BiVelio-Version' must be a version of the API: {known}.",
)

_NOT_A_VERSION: Final = Text(
    "El campo '{{field}}' debe ser una versión de la API: {known}.",
    "The field '{{field}}' must be a version of the API: {known}.",
)

VERSIONS: Final = Versions([Version("2026-04-07", Text("La primera versión.", "The first version."))])


def _require_known(date: str) -> str:
    if date not in VERSIONS.dates:
        raise FieldError("one_of", _NOT_A_VERSION.format(known=", ".join(VERSIONS.dates)))
    return date


#: A field that holds a version.
KnownVersion = Annotated[
    str, AfterValidator(_require_known), WithJsonSchema({"type": "string", "enum": list(VERSIONS.dates)})
]
