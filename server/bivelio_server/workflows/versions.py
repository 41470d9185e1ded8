"""Parsed definitions, those used last: a version never changes."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from uuid import UUID

from bivelio_server.kit import json
from bivelio_server.workflows.definition import Definition

#: Of all that are kept, as JSON. Parsed they take some times as much.
CAPACITY_BYTES: Final = 4 * 1024 * 1024
_Key: TypeAlias = tuple[UUID, str, str, int]


class _Parsed:
    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, tuple[Definition, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: _Key) -> Definition | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, key: _Key, definition: Definition, size: int) -> None:
        self._kept[key] = definition, size
        self._bytes += size
        while self._bytes > CAPACITY_BYTES and len(self._kept) > 1:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= oldest


_parsed: Final = _Parsed()


def known_definition(org_id: UUID, environment: str, workflow_id: str, version: int) -> Definition | None:
    return _parsed.get((org_id, environment, workflow_id, version))


def parse_definition(
    org_id: UUID, environment: str, workflow_id: str, version: int, stored: Mapping[str, Any]
) -> Definition:
    key = (org_id, environment, workflow_id, version)
    definition = _parsed.get(key)
    if definition is None:
        definition = Definition.model_validate(stored)
        _parsed.keep(key, definition, len(json.dumps(stored)))
    return definition
