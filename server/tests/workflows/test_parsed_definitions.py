"""Definitions stay parsed as long as there is room for them."""

from uuid import uuid4

import pytest

from bivelio_server.workflows import versions


def test_those_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_parsed", type(versions._parsed)())
    monkeypatch.setattr(versions, "CAPACITY_BYTES", 1000)
    org_id = uuid4()
    stored = {"trigger": {"type": "manual"}, "steps": [{"id": "a", "set": {"text": "x" * 300}}]}

    for number in (1, 2):
        versions.parse_definition(org_id, "live", "wf", number, stored)
    versions.parse_definition(org_id, "live", "wf", 1, {})  # known: what is stored is not looked at
    versions.parse_definition(org_id, "live", "wf", 3, stored)

    known = [number for number in (1, 2, 3) if versions.known_definition(org_id, "live", "wf", number)]
    assert known == [1, 3]
