"""Two servers on one database know the same at the same time."""

import time

import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, client_of

pytestmark = pytest.mark.anyio

EFFECTIVE_WITHIN_SECONDS = 1


async def test_revoking_a_key_is_effective_at_the_other_server_within_a_second(
    place: Installation, template: Template
) -> None:
    servers = place.start_server(), place.start_server()
    for server in servers:
        await server.ready()
    async with client_of(servers[0], template.live_key) as here:
        made = await here.call("/v1/keys/create", {"name": "Soon revoked", "scopes": ["read"]})
        async with client_of(servers[1], made["key"]) as there:
            await there.call("/v1/contacts")
            await here.call("/v1/keys/revoke", {"id": made["id"]})
            revoked = time.monotonic()
            while (reply := await there.post("/v1/contacts")).status_code == 200:
                assert time.monotonic() - revoked < EFFECTIVE_WITHIN_SECONDS

    assert reply.status_code == 401
    assert reply.json()["error"]["code"] == "AUTH_INVALID_TOKEN"
