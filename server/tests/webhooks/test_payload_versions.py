"""An endpoint keeps the shape of its `payload_version`, whatever the server has learned since."""

from dataclasses import replace

import psycopg
import pytest

from bivelio_server.app import FEATURES
from bivelio_server.kit.context import Services
from bivelio_server.kit.operations import Catalogue
from bivelio_server.kit.versions import VERSIONS
from bivelio_server.webhooks.delivery import LANE
from tests.kit.test_versions import FIRST, THIRD, THREE
from tests.webhooks.desk import Desk, create_contact
from tests.webhooks.receiver import receiving
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_messages_keep_the_version_of_their_endpoint(
    acme: Organization, desk: Desk, services: Services, owner: psycopg.Connection
) -> None:
    newer_server = replace(services, catalogue=Catalogue(FEATURES, THREE))
    async with receiving() as receiver:
        old = await desk.endpoint(acme.live, receiver.url("/old"))
        new = await desk.endpoint(acme.live, receiver.url("/new"))
        owner.execute("update webhook_endpoints set payload_version = %s where id = %s", (THIRD, new.id))
        async with working(newer_server, lanes=[LANE]):
            await create_contact(acme.live, "Ana")
            received = {request.path: request.message["data"] for request in await receiver.wait(2)}

    assert (old.made["payload_version"], VERSIONS.newest) == (FIRST, FIRST)
    assert received["/old"]["full_name"] == "Ana"
    assert "name" not in received["/old"]
    assert received["/new"]["name"] == "Ana"
