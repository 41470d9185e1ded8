"""The request log: every request that names an organisation, and nothing that it should not hold."""

import re
from datetime import timedelta

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.usage.arranging import ask, logged, request_of
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_a_client_reads_its_own_request_at_once(acme: Organization) -> None:
    request_id = await ask(acme.live, "/v1/contacts/create", {"name": "Ana"}, user_agent="erp/1.0")

    found = await request_of(acme.live, request_id)

    assert found["request_id"] == request_id
    assert (found["operation"], found["path"]) == ("contacts.create", "/v1/contacts/create")
    assert (found["status"], found["error_code"], found["replayed"]) == (200, None, False)
    assert (found["environment"], found["door"], found["user_agent"]) == ("live", "http", "erp/1.0")
    assert found["actor"] == f"key:{found['key_id']}"
    assert found["address"] == "127.0.0.1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["at"])
    assert 0 < found["duration_ms"] < 10_000


async def test_refusals_are_logged_with_their_code(acme: Organization) -> None:
    invalid = await ask(acme.live, "/v1/contacts/create", {"name": 1})
    forbidden = await ask(acme.key("read"), "/v1/contacts/create", {"name": "Ana"})
    missing = await ask(acme.live, "/v1/contacts/get", {"id": "ct_nobody"})
    nowhere = await ask(acme.live, "/v1/nowhere")

    found = [await request_of(acme.live, request_id) for request_id in (invalid, forbidden, missing, nowhere)]

    assert [(request["status"], request["error_code"]) for request in found] == [
        (400, "VALIDATION_ERROR"),
        (403, "AUTH_INSUFFICIENT_SCOPE"),
        (404, "RESOURCE_NOT_FOUND"),
        (404, "RESOURCE_NOT_FOUND"),
    ]
    assert (found[3]["operation"], found[3]["path"]) == ("other", "/v1/nowhere")


async def test_a_request_too_many_is_logged_under_its_operation(world, owner: psycopg.Connection) -> None:
    acme = world.organization("Acme", plan="starter")
    ids = [await ask(acme.live, X_Request_Id=f"too-many-{number:03}") for number in range(21)]
    owner.execute("update organizations set plan = 'enterprise' where id = %s", (acme.id,))

    refused = await logged(acme.live, status=429)

    assert refused[0]["request_id"] in ids
    assert (refused[0]["operation"], refused[0]["error_code"]) == ("contacts.list", "RATE_LIMIT_EXCEEDED")


async def test_requests_that_name_nobody_are_not_logged(acme: Organization, owner: psycopg.Connection) -> None:
    await ask(acme.world.anonymous, X_Request_Id="anonymous-request-1")
    await ask(acme.world.client("bv_live_sk_wrong"), X_Request_Id="anonymous-request-2")

    assert await logged(acme.live) == []
    assert owner.execute("select count(*) from request_log where request_id like 'anonymous-request-%'").fetchone() == (
        0,
    )


async def test_requests_are_searched(acme: Organization) -> None:
    key = acme.key("read")
    listed, refused, made = (
        await ask(key),
        await ask(key, "/v1/contacts/create", {"name": "Ana"}),
        await ask(acme.live, "/v1/contacts/create", {"name": "Ana"}),
    )
    key_id = (await request_of(acme.live, listed))["key_id"]

    async def found(**filters) -> list[str]:
        return [request["request_id"] for request in await logged(acme.live, **filters)]

    assert await found() == [made, refused, listed]
    assert await found(request_id=refused) == [refused]
    assert await found(key_id=key_id) == [refused, listed]
    assert await found(actor=f"key:{key_id}") == [refused, listed]
    assert await found(operation="contacts.create") == [made, refused]
    assert await found(status=403) == await found(status_class="4xx") == [refused]
    assert await found(status_class="2xx", operation="contacts.list") == [listed]
    assert await found(status_class="5xx") == []


async def test_requests_are_searched_by_time(acme: Organization, clock: MovableClock) -> None:
    old = await ask(acme.live)
    clock.advance(hours=30)
    new = await ask(acme.live)
    between = (clock.now() - timedelta(hours=10)).isoformat()

    assert [request["request_id"] for request in await logged(acme.live)] == [new]
    assert [request["request_id"] for request in await logged(acme.live, to=between)] == [old]
    assert [request["request_id"] for request in await logged(acme.live, **{"from": between})] == [new]
    assert [request["request_id"] for request in await logged(acme.live, request_id=old)] == [old]


async def test_a_span_that_ends_before_it_begins_is_impossible(acme: Organization) -> None:
    span = {"from": "2026-04-08T00:00:00Z", "to": "2026-04-07T00:00:00Z"}

    reply = await acme.live.post("/v1/requests/list", span)

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (422, "to")


async def test_the_log_has_pages(acme: Organization) -> None:
    ids = [await ask(acme.live) for _ in range(5)]

    page = await acme.live.call("/v1/requests/list", {"operation": "contacts.list", "page": 2, "per_page": 2})

    assert [request["request_id"] for request in page["requests"]] == [ids[2], ids[1]]
    assert page["pagination"] == {"page": 2, "per_page": 2, "total": 5, "total_pages": 3}


async def test_an_id_that_a_client_repeats_is_found_each_time(acme: Organization) -> None:
    for path in ("/v1/contacts", "/v1/workflows"):
        await ask(acme.live, path, X_Request_Id="my-own-id-1")

    assert (await request_of(acme.live, "my-own-id-1"))["operation"] == "workflows.list"
    assert len(await logged(acme.live, request_id="my-own-id-1")) == 2


async def test_a_repeated_write_says_so(acme: Organization) -> None:
    ids = [
        await ask(acme.live, "/v1/contacts/create", {"name": "Ana"}, Idempotency_Key="factura-de-ana") for _ in range(2)
    ]

    first, again = [await request_of(acme.live, request_id) for request_id in ids]

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["idempotency_key_hash"] == again["idempotency_key_hash"]
    assert re.fullmatch("[0-9a-f]{16}", first["idempotency_key_hash"])


async def test_a_repeated_refusal_has_its_code(acme: Organization) -> None:
    ids = [await ask(acme.live, "/v1/contacts/update", {"id": "ct_nobody"}, Idempotency_Key="once") for _ in range(2)]

    again = await request_of(acme.live, ids[1])

    assert (again["replayed"], again["status"], again["error_code"]) == (True, 404, "RESOURCE_NOT_FOUND")


async def test_the_sandbox_sees_its_own_requests_only(acme: Organization) -> None:
    live, sandbox = await ask(acme.live), await ask(acme.sandbox)

    refused = await acme.sandbox.post("/v1/requests/list", {"environment": "live"})
    hidden = await acme.sandbox.post("/v1/requests/get", {"request_id": live})

    assert [request["request_id"] for request in await logged(acme.sandbox)] == [sandbox]
    assert (refused.status_code, refused.json()["error"]["details"]["field"]) == (403, "environment")
    assert hidden.status_code == 404
    assert [request["request_id"] for request in await logged(acme.live, environment="sandbox")] == [sandbox]
    assert (await request_of(acme.live, sandbox))["environment"] == "sandbox"


async def test_another_organization_does_not_find_it(acme: Organization, rival: Organization) -> None:
    request_id = await ask(acme.live)

    reply = await rival.live.post("/v1/requests/get", {"request_id": request_id})

    assert reply.status_code == 404
    assert await logged(rival.live, request_id=request_id) == []


async def test_no_secret_and_no_body_is_in_the_log(acme: Organization, owner: psycopg.Connection) -> None:
    secret = acme.made.keys.live_secret
    await ask(acme.live, "/v1/contacts/create", {"name": "Ana Canario"}, user_agent=f"erp {secret}\x7f")
    await ask(acme.live, f"/v1/contacts/{secret}/%00%09{'x' * 300}?key={secret}")

    await logged(acme.live)
    rows = owner.execute("select path, user_agent, l::text from request_log l where org_id = %s", (acme.id,)).fetchall()

    whole = " ".join(row for _, _, row in rows)
    assert secret not in whole
    assert "Canario" not in whole
    assert any(path.startswith("/v1/contacts/***") for path, _, _ in rows)
    assert all(len(path) <= 200 and path.isprintable() for path, _, _ in rows)


async def test_a_key_knows_its_last_use(acme: Organization, owner: psycopg.Connection) -> None:
    request_id = await ask(acme.key("read"))
    key_id = (await request_of(acme.live, request_id))["key_id"]

    row = owner.execute(
        "select k.last_used_at = l.at, k.last_used_address from api_keys k, request_log l"
        " where k.id = %s and l.request_id = %s",
        (key_id, request_id),
    ).fetchone()

    assert row == (True, "127.0.0.1")


async def test_old_requests_are_removed(
    acme: Organization, rival: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    old = [await ask(acme.live), await ask(acme.sandbox), await ask(acme.live)]
    theirs = await ask(rival.live)
    clock.advance(hours=1)
    young = await ask(acme.live)
    await services.journal.flush()
    before = clock.now() - timedelta(minutes=30)

    removed = [owner.execute("select prune_request_log(%s, %s, 2)", (acme.id, before)).fetchone() for _ in range(3)]

    assert removed == [(2,), (1,), (0,)]
    assert [await logged(acme.live, request_id=request_id) for request_id in old] == [[]] * 3
    assert len(await logged(acme.live, request_id=young)) == len(await logged(rival.live, request_id=theirs)) == 1
