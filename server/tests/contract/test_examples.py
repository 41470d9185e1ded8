"""Every request that the reference prints is answered in the printed shape."""

from typing import Final, get_args

import pytest

from bivelio_server.app import FEATURES
from bivelio_server.events.definitions import EventName
from bivelio_server.kit.operations import Catalogue
from tests.contract.printed import Example, examples
from tests.contract.shapes import differences
from tests.world import Organization

pytestmark = pytest.mark.anyio

CATALOGUE: Final = Catalogue(FEATURES)
#: Sign-in is no operation, yet it is printed.
OFFERED: Final = {operation.name for operation in CATALOGUE} | {"auth.token"}
REPLAYED: Final = [found for found in examples() if found.operation in OFFERED]


@pytest.mark.parametrize("printed", REPLAYED, ids=lambda printed: printed.name)
async def test_answers_as_printed(acme: Organization, printed: Example) -> None:
    sent = await printed.bound(acme)
    credentials = sent.get("headers", acme.live.headers)

    reply = await acme.world.http.post(sent["path"], json=sent["request"], headers=credentials)

    assert reply.status_code == 200, reply.text
    nullable = frozenset(sent.get("nullable", []))
    assert differences(sent["response"], reply.json(), nullable) == []


@pytest.mark.parametrize("printed", REPLAYED, ids=lambda printed: printed.name)
def test_path_and_action_are_as_printed(printed: Example) -> None:
    operation = CATALOGUE.named(printed.operation or "")
    if operation is None:
        assert printed.operation == "auth.token"
        return

    assert operation.path == printed.content["path"]
    assert operation.action == printed.content["request"]["action"]


def test_every_example_is_replayed() -> None:
    covered = {printed.name for printed in REPLAYED}
    payloads = {printed.name for printed in examples() if printed.content.get("event") in get_args(EventName)}

    assert {printed.name for printed in examples()} == covered | payloads


@pytest.mark.parametrize(
    ("printed", "actual", "found"),
    [
        ({"a": 1}, {"a": 2.5, "b": None}, 0),
        ({"a": 1}, {}, 1),
        ({"a": 1}, {"a": "1"}, 1),
        ({"a": 1}, {"a": True}, 1),
        ({"a": 1}, {"a": None}, 1),
        ({"ok": None}, {"ok": None}, 0),
        ({"at": "2026-04-07T12:00:00Z"}, {"at": "2026-04-07T12:00:00.5Z"}, 1),
        ({"at": "2026-04-07T12:00:00Z"}, {"at": "2031-01-01T00:00:00Z"}, 0),
        ({"id": "wf_a1b2c3d4"}, {"id": "ct_a1b2c3d4"}, 1),
        ({"list": [{"a": 1}]}, {"list": []}, 1),
        ({"list": [{"a": 1}]}, {"list": [{"a": 1}, {"a": "x"}]}, 1),
    ],
)
def test_differences_are_found(printed: object, actual: object, found: int) -> None:
    assert len(differences(printed, actual)) == found
