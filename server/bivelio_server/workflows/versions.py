"""Parsed definitions, the latest few hundred: a version never changes."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from bivelio_server.workflows.definition import Definition

_CAPACITY: Final = 512
_parsed: dict[tuple[UUID, str, str, int], Definition] = {}


def known_definition(org_id: UUID, environment: str, workflow_id: str, version: int) -> Definition | None:
    return _parsed.get((org_id, environment, workflow_id, version))


def parse_definition(
    org_id: UUID, environment: str, workflow_id: str, version: int, stored: Mapping[str, Any]
) -> Definition:
    key = (org_id, environment, workflow_id, version)
    if key not in _parsed:
        if len(_parsed) >= _CAPACITY:
            del _parsed[next(iter(_parsed))]
        _parsed[key] = Definition.model_validate(stored)
    return _parsed[key]
