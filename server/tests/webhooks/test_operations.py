"""webhooks.*"""

import base64
from typing import Any, get_args

import psycopg
import pytest
import structlog

from bivelio_server.events.definitions import EventName
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import OutgoingCall, Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.webhooks import trial
from bivelio_server.webhooks.operations import MAX_ENDPOINTS
from bivelio_server.webhooks.schemas import WebhookTest
from tests.webhooks.desk import Desk, create_contact
from tests.webhooks.receiver import always, receiving
from tests.webhooks.waiting import until
from tests.world import Organization

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:9/hook"
PRINTED = {
    "url": URL,
    "events": ["workflow.completed", "message.received", "invoice.paid"],
    "secret": "whsec_tu_secreto_de_verificacion",
    "description": "Webhook principal de integracion",
}


async def test_create_answers_as_printed(acme: Organization) -> None:
    made = await acme.live.call("/v1/webhooks/create", PRINTED)

    assert made["webhook_id"].startswith("wh_")
    assert made["url"] == URL
    assert made["events"] == PRINTED["events"]
    assert made["status"] == "active"
    assert made["signing_secret"] == PRINTED["secret"]
    assert made["standard_secret"].startswith("whsec_")
    assert made["version"] == 1


async def test_a_generated_secret_serves_both_signatures(acme: Organization) -> None:
    made = await acme.live.call("/v1/webhooks/create", {"url": URL, "events": ["contact.created"]})

    assert len(base64.b64decode(made["signing_secret"].removeprefix("whsec_"))) == 32
    assert made["standard_secret"] is None


async def test_list_is_paged_newest_first(acme: Organization, desk: Desk) -> None:
    first = await desk.endpoint(acme.live, URL)
    second = await desk.endpoint(acme.live, URL)

    page = await acme.live.call("/v1/webhooks/list", {})

    assert [one["webhook_id"] for one in page["webhooks"]] == [second.id, first.id]
    assert page["pagination"] == {"page": 1, "per_page": 20, "total": 2, "total_pages": 1}
    assert page["webhooks"][0]["last_triggered_at"] is None
    assert page["webhooks"][0]["success_rate"] is None


@pytest.mark.parametrize(
    ("change", "status", "field", "constraint"),
    [
        ({"url": "no es una url"}, 400, "url", "url"),
        ({"url": "ftp://example.com/hook"}, 400, "url", "url"),
        ({"url": "https://user:password@example.com/"}, 400, "url", "url"),
        ({"url": "http://10.0.0.1/hook"}, 422, "url", "public_address"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, 422, "url", "public_address"),
        ({"url": "https://example.com/" + "x" * 2048}, 400, "url", "max_length"),
        ({"events": []}, 400, "events", "min_items"),
        ({"events": ["contact.created", "contact.created"]}, 400, "events", "unique_items"),
        ({"events": ["contact.exploded"]}, 400, "events[0]", "one_of"),
        ({"secret": "short"}, 400, "secret", "min_length"),
        ({"secret": "x" * 201}, 400, "secret", "max_length"),
        ({"secret": "whsec_with\na line of it"}, 400, "secret", "printable"),
    ],
)
async def test_create_names_what_is_wrong(
    acme: Organization, change: dict[str, Any], status: int, field: str, constraint: str
) -> None:
    reply = await acme.live.post("/v1/webhooks/create", {**PRINTED, **change})

    details = reply.json()["error"]["details"]
    assert (reply.status_code, details["field"], details["constraint"]) == (status, field, constraint)


async def test_there_is_a_most(acme: Organization, desk: Desk) -> None:
    for _ in range(MAX_ENDPOINTS):
        await desk.endpoint(acme.live, URL)

    reply = await acme.live.post("/v1/webhooks/create", PRINTED)

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")
    assert (await acme.sandbox.post("/v1/webhooks/create", PRINTED)).status_code == 200


async def test_update_changes_what_is_given(acme: Organization, desk: Desk) -> None:
    endpoint = await desk.endpoint(acme.live, URL, description="antes")

    changed = await endpoint.update(events=["contact.updated"], description=None, if_version=1)

    assert changed["events"] == ["contact.updated"]
    assert changed["description"] is None
    assert changed["url"] == URL
    assert changed["version"] == 2
    assert changed == await endpoint.get()


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"if_version": 7, "description": "x"}, 409, "CONFLICT"),
        ({"url": None}, 400, "VALIDATION_ERROR"),
        ({"url": "http://10.0.0.1/"}, 422, "VALIDATION_ERROR"),
        ({"status": "disabled"}, 400, "VALIDATION_ERROR"),
    ],
)
async def test_update_refuses(acme: Organization, desk: Desk, change: dict[str, Any], status: int, code: str) -> None:
    endpoint = await desk.endpoint(acme.live, URL)

    reply = await acme.live.post("/v1/webhooks/update", {"webhook_id": endpoint.id, **change})

    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert (await endpoint.get())["version"] == 1


@pytest.mark.usefixtures("worker")
async def test_a_paused_endpoint_keeps_what_was_pending_until_it_goes_on(acme: Organization, desk: Desk) -> None:
    async with receiving(always(500)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live, "before")
        await until(lambda: endpoint.deliveries() == [("pending", 1)] and endpoint.outcomes()[0][0] == "failed")
        await endpoint.update(status="paused")
        await create_contact(acme.live, "meanwhile")
        receiver.answer = always(200)
        await endpoint.update(status="active")
        await until(lambda: endpoint.deliveries() == [("delivered", 2)])

    assert {request.message["data"]["name"] for request in receiver.requests} == {"before"}


async def test_a_deleted_endpoint_is_gone_and_gets_nothing(acme: Organization, desk: Desk) -> None:
    endpoint = await desk.endpoint(acme.live, URL)
    await create_contact(acme.live, "before")

    deleted = await acme.live.call("/v1/webhooks/delete", {"webhook_id": endpoint.id})
    await create_contact(acme.live, "after")

    assert deleted["deleted_at"]
    assert endpoint.deliveries() == [("cancelled", 0)]
    assert (await acme.live.post("/v1/webhooks/get", {"webhook_id": endpoint.id})).status_code == 404
    assert (await acme.live.call("/v1/webhooks/list", {}))["webhooks"] == []


async def test_a_deleted_endpoint_comes_back_paused(acme: Organization, desk: Desk, owner: psycopg.Connection) -> None:
    endpoint = await desk.endpoint(acme.live, URL)
    owner.execute(
        "update webhook_endpoints set status = 'disabled', disabled_at = now(), disabled_reason = 'gone' where id = %s",
        (endpoint.id,),
    )
    await acme.live.call("/v1/webhooks/delete", {"webhook_id": endpoint.id})

    restored = await acme.live.call("/v1/webhooks/restore", {"webhook_id": endpoint.id})

    assert (restored["status"], restored["deleted_at"]) == ("paused", None)


async def test_a_test_message_is_sent_at_once_and_counts_for_nothing(acme: Organization, desk: Desk) -> None:
    async with receiving(always(500)) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, events=["invoice.paid"])

        result = await acme.live.call("/v1/webhooks/test", {"webhook_id": endpoint.id})

        (request,) = receiver.requests
        view = await endpoint.get()
    assert result["delivery_id"] == request.id
    assert (result["status"], result["response_status"], result["error"]) == ("failed", 500, "rejected")
    assert request.message["event"] == "invoice.paid"
    assert request.message["data"]["number"] == "FAC-2026-042"
    assert (view["status"], view["success_rate"]) == ("active", None)
    assert endpoint.outcomes() == [("failed", 500, "rejected")]


async def test_a_test_message_may_be_of_any_event(acme: Organization, desk: Desk, services: Services) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        for event in services.events:
            result = await acme.live.call("/v1/webhooks/test", {"webhook_id": endpoint.id, "event": event})
            assert (result["status"], result["error"]) == ("delivered", None)

    assert [request.headers["x-bivelio-event"] for request in receiver.requests] == list(services.events)
    assert len(receiver.requests) == len(get_args(EventName))


async def test_a_test_message_of_an_endpoint_deleted_meanwhile_fails_unsent(
    acme: Organization, desk: Desk, services: Services
) -> None:
    caller = Caller(acme.id, Environment.live, "user:x", acme.owner_id, frozenset({"admin"}))
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        async with transaction(caller, services, Origin(Door.workflow)) as context:
            prepared = await trial.prepare(context, WebhookTest(webhook_id=endpoint.id))
        await acme.live.call("/v1/webhooks/delete", {"webhook_id": endpoint.id})

        outcome = await trial.perform(OutgoingCall(services, caller, "key"), prepared)
        async with transaction(caller, services, Origin(Door.workflow)) as context:
            result = await trial.record(context, prepared, outcome)

    assert receiver.requests == []
    assert (result.status, result.error) == ("failed", "webhook_deleted")
    assert endpoint.outcomes() == [("failed", None, "webhook_deleted")]


@pytest.mark.usefixtures("worker")
async def test_secrets_are_shown_once_and_stored_nowhere(
    acme: Organization, desk: Desk, owner: psycopg.Connection
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with receiving(always(410)) as receiver:
            endpoint = await desk.endpoint(acme.live, receiver, secret=PRINTED["secret"])
            await create_contact(acme.live)
            await receiver.wait(1)
            await until(lambda: endpoint.outcomes()[0][0] == "failed")
            shown = [
                await endpoint.get(),
                await acme.live.call("/v1/webhooks/list", {}),
                await acme.live.call("/v1/webhooks/test", {"webhook_id": endpoint.id}),
                await endpoint.update(description="x"),
            ]

    tables = [row[0] for row in owner.execute("select tablename from pg_tables where schemaname = 'public'")]
    stored = [
        owner.execute(f"select coalesce(string_agg(t::text, ''), '') from {name} t").fetchone() for name in tables
    ]
    for secret in (endpoint.made["signing_secret"], endpoint.made["standard_secret"]):
        assert secret not in repr(shown)
        assert secret not in repr(logs)
        assert secret not in repr(stored)
        assert secret.encode().hex() not in repr(stored)
