"""The first start, later ones, and what the command prints."""

import re
import time
from collections.abc import Callable

import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, client_of, fresh_installation

pytestmark = pytest.mark.anyio

STARTED_WITHIN_SECONDS = 10
KEY = re.compile(r"bv_\w+")


async def test_the_first_organization_is_made_and_its_keys_shown_once() -> None:
    with fresh_installation() as place:
        first = await place.serve(None, "--first-organization")
        shown = KEY.findall(first.output())
        async with client_of(first, shown[0]) as client:
            await client.call("/v1/contacts/create", {"name": "Kept"})
        first.terminate()
        await first.ended()
        second = await place.serve(None, "--first-organization")
        async with client_of(second, shown[0]) as client:
            kept = (await client.call("/v1/contacts"))["contacts"]

        assert len(shown) == 3
        assert "admin@bivelio.local" in first.output()
        assert KEY.findall(second.output()) == []
        assert [contact["name"] for contact in kept] == ["Kept"]


async def test_starting_on_existing_data_is_quick_and_prints_no_keys(
    place: Installation, template: Template, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    server = await place.serve()
    seconds = time.monotonic() - began

    record_property("seconds_to_start", round(seconds, 2))
    assert seconds < STARTED_WITHIN_SECONDS
    assert KEY.findall(server.output()) == []


async def test_organizations_are_provisioned_whether_the_server_runs_or_not(
    place: Installation, template: Template
) -> None:
    before = place.provision("Before", "before@example.com")
    server = await place.serve()
    during = place.provision("During", "during@example.com")
    again = place.provision("Before", "before@example.com")

    assert before["organization_id"] == again["organization_id"] != during["organization_id"]
    for made in (before, during, again):
        async with client_of(server, made["keys"]["live_secret"]) as client:
            assert (await client.call("/v1/contacts"))["contacts"] == []


def test_what_is_wrong_with_an_installation_is_one_line(place: Installation) -> None:
    wrong = place.run("serve", "--port", "99999")

    assert wrong.returncode == 1
    assert wrong.stderr.startswith("bivelio-server: port: ")
    assert wrong.stderr.count("\n") == 1


async def test_a_taken_port_is_told(place: Installation) -> None:
    server = await place.serve()
    second = place.run("serve", "--port", server.address.rpartition(":")[2])

    assert second.returncode == 1
    assert "Address already in use" in second.stderr
    assert "Traceback" not in second.stderr
