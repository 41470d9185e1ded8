"""One trace follows a request over every boundary: queue, sleep, event, delivery. It holds ids and codes, no data."""

import time
from threading import Event

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from bivelio_server.app import FEATURES
from bivelio_server.kit import tracing
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.operations import Catalogue
from tests.observability.spans import Spans, context_of
from tests.webhooks.receiver import always, receiving
from tests.webhooks.waiting import until
from tests.workflows import arranging as workflows
from tests.world import Organization

pytestmark = pytest.mark.anyio

CALLERS_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLERS_SPAN = f"00-{CALLERS_TRACE}-00f067aa0ba902b7-01"


async def test_a_request_and_its_operation_are_spans(acme: Organization, spans: Spans) -> None:
    await acme.live.call("/v1/contacts/create", {"name": "Ana"})

    request, operation = spans.only("POST contacts.create"), spans.only("contacts.create")
    assert spans.path(operation) == ["POST contacts.create", "contacts.create"]
    assert request.kind is SpanKind.SERVER
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["bivelio.organization_id"] == str(acme.id)
    assert request.attributes["bivelio.environment"] == "live"
    assert str(request.attributes["bivelio.request_id"]).startswith("req_")


async def test_a_callers_own_trace_goes_on(acme: Organization, spans: Spans) -> None:
    headers = {**acme.live.headers, "traceparent": CALLERS_SPAN}

    reply = await acme.world.http.post("/v1/contacts", headers=headers)

    assert reply.status_code == 200
    assert {f"{context_of(span).trace_id:032x}" for span in spans.all()} == {CALLERS_TRACE}


@pytest.mark.parametrize("given", ["", "00-zz", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 5000])
async def test_a_broken_traceparent_begins_a_trace_of_its_own(acme: Organization, spans: Spans, given: str) -> None:
    reply = await acme.world.http.post("/v1/contacts", headers={**acme.live.headers, "traceparent": given})

    assert reply.status_code == 200
    assert spans.only("POST contacts.list").parent is None


@pytest.mark.usefixtures("worker")
async def test_a_trace_reaches_the_webhook(acme: Organization, spans: Spans) -> None:
    async with receiving() as receiver:
        await acme.live.call("/v1/webhooks/create", {"url": receiver.url(), "events": ["contact.created"]})
        await acme.live.call("/v1/contacts/create", {"name": "Ana"})
        await receiver.wait(1)
        await until(lambda: len(spans.named("webhook")) == 1)

    call = spans.only("POST webhook")
    assert spans.path(call) == ["POST contacts.create", "contacts.create", "webhook", "POST webhook"]
    assert call.kind is SpanKind.CLIENT


@pytest.mark.usefixtures("worker")
async def test_a_trace_goes_through_a_run_that_slept_to_its_webhook(
    acme: Organization, spans: Spans, services: Services, clock: MovableClock
) -> None:
    async with receiving() as receiver:
        await acme.live.call("/v1/webhooks/create", {"url": receiver.url(), "events": ["contact.created"]})
        made = await workflows.workflow(
            acme.live, {"id": "nap", "wait": {"seconds": 3600}}, workflows.create_contact("contact")
        )
        started = await workflows.started(acme.live, made)
        await workflows.reached(acme.live, started, "waiting")
        workflows.later(services, clock, hours=2)
        await workflows.ended(acme.live, started)
        await receiver.wait(1)
        await until(lambda: len(spans.named("webhook")) == 1)

    above = ["POST workflows.execute", "workflows.execute", "workflows.run"]
    assert spans.path(spans.only("POST webhook")) == [*above, "step contacts.create", "webhook", "POST webhook"]
    assert [spans.path(span) for span in spans.named("step wait")] == [[*above, "step wait"]] * 2
    assert [span.kind for span in spans.named("workflows.run")] == [SpanKind.CONSUMER] * 2
    assert {span.status.status_code for span in spans.all()} == {StatusCode.UNSET}


@pytest.mark.usefixtures("worker")
async def test_a_triggered_run_belongs_to_the_trace_of_its_event(acme: Organization, spans: Spans) -> None:
    await workflows.workflow(acme.live, {"id": "note", "set": {"done": True}}, **workflows.on("contact.created"))

    await acme.live.call("/v1/contacts/create", {"name": "Ana"})
    await until(lambda: len(spans.named("workflows.run")) == 1)

    assert spans.path(spans.only("step set")) == [
        "POST contacts.create", "contacts.create", "workflows.react", "workflows.run", "step set",
    ]  # fmt: skip


async def test_a_refusal_is_noted_by_its_code_and_is_no_failure(acme: Organization, spans: Spans) -> None:
    reply = await acme.live.post("/v1/contacts/get", {"id": "ct_missing"})

    assert reply.status_code == 404
    operation = spans.only("contacts.get")
    assert operation.attributes is not None
    assert operation.attributes["error.type"] == "RESOURCE_NOT_FOUND"
    assert {span.status.status_code for span in spans.all()} == {StatusCode.UNSET}


@pytest.mark.usefixtures("worker")
async def test_a_failed_delivery_fails_its_span(acme: Organization, spans: Spans) -> None:
    async with receiving(always(500)) as receiver:
        await acme.live.call("/v1/webhooks/create", {"url": receiver.url(), "events": ["contact.created"]})
        await acme.live.call("/v1/contacts/create", {"name": "Ana"})
        await until(lambda: len(spans.named("webhook")) == 1)

    delivery = spans.only("webhook")
    assert delivery.attributes is not None
    assert (delivery.status.status_code, delivery.attributes["error.type"]) == (StatusCode.ERROR, "rejected")


async def test_what_the_operator_asks_for_is_not_traced(acme: Organization, spans: Spans) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        await acme.world.http.get(path)

    assert spans.all() == ()


CANARIES = ["canary-name-51c7", "canary@example.com", "canary-secret-9d02", "bv_live_sk_canary00000000000000000000"]


@pytest.mark.usefixtures("worker")
async def test_no_trace_holds_what_a_caller_sent(acme: Organization, spans: Spans) -> None:
    name, email, secret, key = CANARIES
    async with receiving() as receiver:
        hook = {"url": receiver.url(f"/{secret}"), "events": ["contact.created"], "secret": secret * 2}
        await acme.live.call("/v1/webhooks/create", hook)
        await acme.live.call("/v1/contacts/create", {"name": name, "email": email, "custom_fields": {secret: key}})
        made = await workflows.workflow(acme.live, workflows.create_contact(name="{{ input.name }}"))
        await workflows.run(acme.live, made, name=name)
        await receiver.wait(2)
    for operation in Catalogue(FEATURES):
        await acme.live.post(operation.path, {"id": secret, "name": name, secret: email, "key": key})
        await acme.world.http.post(
            f"{operation.path}?api_key={key}", content=f'{{"{secret}', headers={"X-API-Key": key, "X-Request-Id": key}
        )
        await acme.world.http.post(f"{operation.path}/{key}", headers={"Authorization": f"Bearer {key}"})

    assert len(spans.all()) > 2 * len(list(Catalogue(FEATURES)))
    assert [canary for canary in CANARIES if canary in spans.text()] == []


def test_without_a_tracer_nothing_is_recorded_and_nothing_fails() -> None:
    with tracing.span("anything", "client", attributes={"a": 1}) as span:
        span.rename("something")
        span.note({"b": True})
        span.fail("reason")

        assert tracing.traceparent() is None
        assert tracing.trace_id() is None


def test_stopping_does_not_wait_for_a_collector_that_hangs(monkeypatch: pytest.MonkeyPatch, spans: Spans) -> None:
    monkeypatch.setattr(spans.exporter, "shutdown", Event().wait)
    started = time.monotonic()

    tracing.stop(seconds=0.2)

    assert time.monotonic() - started < 2
