"""What a key is used for, when it was used last, and who would notice its end."""

import pytest

from bivelio_server.kit.clock import MovableClock
from tests.accounts.test_key_changes import GET, refused
from tests.accounts.test_keys import made_key
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

USAGE = "/v1/keys/usage"
CONTACTS, CREATE = "/v1/contacts", "/v1/contacts/create"


def agent(client: Client, name: str) -> Client:
    return Client(client.http, {**client.headers, "User-Agent": name})


async def test_counts_requests_and_errors_by_operation_and_tells_who_asked(acme: Organization) -> None:
    key = await made_key(acme.live, scopes=["read"])
    client = acme.world.client(key["key"])
    for _ in range(3):
        await agent(client, "erp/1.0").call(CONTACTS)
    await agent(client, "script").post(CREATE, {"name": "x"})

    usage = await acme.live.call(USAGE, {"id": key["id"]})

    assert (usage["requests"], usage["errors"], usage["refused"]) == (4, 1, 0)
    assert [(row["operation"], row["requests"], row["errors"]) for row in usage["usage"]] == [
        ("contacts.list", 3, 0), ("contacts.create", 1, 1),
    ]  # fmt: skip
    assert [(caller["user_agent"], caller["requests"]) for caller in usage["recent_callers"]] == [
        ("script", 1), ("erp/1.0", 3),
    ]  # fmt: skip
    assert {caller["address"] for caller in usage["recent_callers"]} == {"127.0.0.1"}


async def test_other_keys_do_not_count(acme: Organization) -> None:
    key = await made_key(acme.live)
    await acme.live.call(CONTACTS)

    usage = await acme.live.call(USAGE, {"id": key["id"]})

    assert (usage["requests"], usage["usage"], usage["recent_callers"]) == (0, [], [])


async def test_days_go_by(acme: Organization, clock: MovableClock) -> None:
    key = await made_key(acme.live)
    await acme.world.client(key["key"]).call(CONTACTS)
    clock.advance(days=2)

    lately = await acme.live.call(USAGE, {"id": key["id"], "days": 2})
    longer = await acme.live.call(USAGE, {"id": key["id"], "days": 3})

    assert (lately["requests"], longer["requests"], longer["recent_callers"]) == (0, 1, [])


async def test_a_sandbox_key_has_its_usage_too(acme: Organization) -> None:
    key = await made_key(acme.live, environment="sandbox")
    await acme.world.client(key["key"]).call(CONTACTS)

    assert (await acme.live.call(USAGE, {"id": key["id"]}))["requests"] == 1


async def test_the_last_use_is_shown(acme: Organization) -> None:
    key = await made_key(acme.live)
    await acme.world.client(key["key"]).call(CONTACTS)
    await acme.live.call(USAGE, {"id": key["id"]})

    shown = await acme.live.call(GET, {"id": key["id"]})

    assert shown["last_used_at"] >= key["created_at"]
    assert (shown["last_used_address"], shown["version"]) == ("127.0.0.1", 1)


@pytest.mark.parametrize("days", [0, 91, "7"])
async def test_refuses_an_impossible_span(acme: Organization, days: object) -> None:
    key = await made_key(acme.live)

    assert await refused(acme.live, USAGE, {"id": key["id"], "days": days}) == (400, "VALIDATION_ERROR", "days")
