"""webhooks.list_deliveries, get_delivery: what happened to each message."""

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.webhooks.desk import Desk, create_contact, delivery_of
from tests.webhooks.receiver import Received, always, in_turn, receiving
from tests.webhooks.waiting import until
from tests.world import Organization

pytestmark = pytest.mark.anyio


@pytest.mark.usefixtures("worker")
async def test_a_delivery_tells_of_every_attempt(acme: Organization, desk: Desk, clock: MovableClock) -> None:
    async with receiving(in_turn(503, 200)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await until(lambda: endpoint.outcomes() == [("failed", 503, "rejected")])
        clock.advance(seconds=34)
        await until(lambda: endpoint.deliveries() == [("delivered", 2)])
        shown = await delivery_of(endpoint)

    first, second = shown["attempts"]
    assert (shown["delivery_id"], shown["status"], shown["attempt_count"]) == (receiver.requests[0].id, "delivered", 2)
    assert shown["event"] == "contact.created"
    assert shown["request_body"].encode() == receiver.requests[0].body == receiver.requests[1].body
    assert (first["number"], first["outcome"], first["response_status"], first["error"]) == (
        1,
        "failed",
        503,
        "rejected",
    )
    assert first["explanation"] == {"es": "Respondió con el estado 503.", "en": "It answered with status 503."}
    assert (second["number"], second["outcome"], second["error"], second["explanation"]) == (2, "delivered", None, None)
    assert second["duration_ms"] >= 0
    assert second["url"] == receiver.url()
    assert shown["last_attempt"] == {name: second[name] for name in shown["last_attempt"]}


@pytest.mark.usefixtures("worker")
async def test_headers_are_kept_without_what_could_be_played_again(acme: Organization, desk: Desk) -> None:
    answer = {"Set-Cookie": "session=canary", "X-Api-Key": "canary", "X-Trace": "abc", "WWW-Authenticate": "canary"}
    async with receiving(always(200, answer)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await until(lambda: endpoint.deliveries() == [("delivered", 1)])
        (attempt,) = (await delivery_of(endpoint))["attempts"]

    sent = receiver.requests[0].headers
    assert attempt["request_headers"] == {
        "Content-Type": "application/json",
        "webhook-id": sent["webhook-id"],
        "webhook-timestamp": sent["webhook-timestamp"],
        "webhook-signature": "***",
        "X-BiVelio-Event": "contact.created",
        "X-BiVelio-Signature": "***",
    }
    assert attempt["response_headers"]["x-trace"] == "abc"
    assert [attempt["response_headers"][name] for name in ("set-cookie", "x-api-key", "www-authenticate")] == [
        "***"
    ] * 3
    assert "canary" not in json.dumps(attempt)


@pytest.mark.usefixtures("worker")
async def test_a_receiver_that_echoes_signatures_is_masked(
    acme: Organization, desk: Desk, owner: psycopg.Connection
) -> None:
    async def echo(request: Received) -> tuple[int, dict[str, str], bytes]:
        return 200, {"X-Echo": request.headers["x-bivelio-signature"]}, json.dumps(request.headers).encode()

    async with receiving(echo) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await until(lambda: endpoint.deliveries() == [("delivered", 1)])

    stored = repr(owner.execute("select * from webhook_attempts where webhook_id = %s", (endpoint.id,)).fetchall())
    assert receiver.requests[0].id in stored
    for header in ("x-bivelio-signature", "webhook-signature"):
        assert receiver.requests[0].headers[header].removeprefix("v1,") not in stored


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain; charset=utf-8", "Señor Peña".encode(), "Señor Peña"),
        ("text/plain; charset=ISO-8859-1", "Señor Peña".encode("latin-1"), "Señor Peña"),
        ("text/plain", b"\xff\xfe\x00binary\x00", "\ufffd\ufffd\ufffdbinary\ufffd"),
        ("text/plain; charset=idna", b"xn--a" * 10, "xn--a" * 10),
        ("text/plain; charset=no-such-thing", b"plain", "plain"),
        ("text/plain", b"", ""),
    ],
)
async def test_a_response_is_kept_as_text(
    acme: Organization, desk: Desk, content_type: str, body: bytes, text: str
) -> None:
    async with receiving(always(200, {"Content-Type": content_type}, body)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await until(lambda: endpoint.deliveries() == [("delivered", 1)])
        (attempt,) = (await delivery_of(endpoint))["attempts"]

    assert (attempt["response_body"], attempt["response_truncated"]) == (text, False)


@pytest.mark.usefixtures("worker")
async def test_no_more_than_64_kib_of_a_response_are_read(acme: Organization, desk: Desk) -> None:
    async with receiving(always(200, {}, "ñ".encode() * 500_000)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await until(lambda: endpoint.deliveries() == [("delivered", 1)])
        (attempt,) = (await delivery_of(endpoint))["attempts"]

    assert attempt["response_body"] == "ñ" * 32 * 1024
    assert attempt["response_truncated"] is True


@pytest.mark.usefixtures("worker")
async def test_what_kept_a_message_from_arriving_is_named(acme: Organization, desk: Desk) -> None:
    endpoint = await desk.endpoint(acme.live, "http://127.0.0.1:9/hook")
    await create_contact(acme.live)
    await until(lambda: endpoint.outcomes() == [("failed", None, "connect_failed")])

    (attempt,) = (await delivery_of(endpoint))["attempts"]

    assert attempt["explanation"]["en"] == "No connection to the server can be made."
    assert (attempt["response_headers"], attempt["response_body"], attempt["response_truncated"]) == (None, None, None)
    assert attempt["request_headers"]["webhook-id"]


async def test_a_test_message_is_a_delivery_too(acme: Organization, desk: Desk) -> None:
    async with receiving(always(200, {}, b"thanks")) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await acme.live.call("/v1/webhooks/test", {"webhook_id": endpoint.id, "event": "invoice.paid"})
        shown = await delivery_of(endpoint)

    assert (shown["kind"], shown["event"], shown["event_id"]) == ("test", "invoice.paid", None)
    assert shown["request_body"].encode() == receiver.requests[0].body
    assert shown["attempts"][0]["response_body"] == "thanks"


async def test_deliveries_are_filtered(acme: Organization, desk: Desk, clock: MovableClock) -> None:
    one = await desk.endpoint(acme.live, "http://127.0.0.1:9/one", events=["contact.created", "contact.updated"])
    two = await desk.endpoint(acme.live, "http://127.0.0.1:9/two")
    contact = await create_contact(acme.live)
    clock.advance(seconds=60)
    middle = clock.now().isoformat()
    clock.advance(seconds=60)
    await acme.live.call("/v1/contacts/update", {"id": contact["id"], "name": "Otra"})
    await acme.live.call("/v1/webhooks/delete", {"webhook_id": two.id})

    async def found(**filters: Any) -> list[tuple[str, str]]:
        page = await acme.live.call("/v1/webhooks/list_deliveries", filters)
        assert page["pagination"]["total"] == len(page["deliveries"])
        return [(one["webhook_id"], one["event"]) for one in page["deliveries"]]

    created, updated = (one.id, "contact.created"), (one.id, "contact.updated")
    everything = await acme.live.call("/v1/webhooks/list_deliveries", {"webhook_id": one.id})
    assert await found(webhook_id=one.id) == [updated, created]
    assert await found(event="contact.updated") == [updated]
    assert await found(status="cancelled") == await found(webhook_id=two.id) == [(two.id, "contact.created")]
    assert await found(event_id=everything["deliveries"][0]["event_id"]) == [updated]
    assert await found(created_after=middle) == [updated]
    assert sorted(await found(created_before=middle)) == sorted([created, (two.id, "contact.created")])
    assert everything["deliveries"][0]["last_attempt"] is None


async def test_a_period_ends_after_it_begins(acme: Organization, clock: MovableClock) -> None:
    now = clock.now()
    period = {"created_after": now.isoformat(), "created_before": (now - timedelta(hours=1)).isoformat()}

    reply = await acme.live.post("/v1/webhooks/list_deliveries", period)

    assert reply.status_code == 422
    assert reply.json()["error"]["details"]["field"] == "created_before"


async def test_the_catalogue_has_a_sample_of_every_event(acme: Organization, services: Services) -> None:
    events = (await acme.live.call("/v1/webhooks/events", {}))["events"]

    assert [event["event"] for event in events] == list(services.events)
    for event in events:
        assert event["sample"]["event"] == event["event"]
        assert event["summary"]["es"]
        assert event["summary"]["en"]
        assert set(event["sample"]["data"]) == set(event["data_schema"]["properties"])
