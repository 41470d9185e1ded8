"""The test message: one attempt, now, that counts for nothing."""

from typing import Final

from bivelio_server.kit.context import Context, OutgoingCall
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.models import Output
from bivelio_server.webhooks import queries
from bivelio_server.webhooks.messages import Message, render_body
from bivelio_server.webhooks.schemas import WebhookTest, WebhookTestResult
from bivelio_server.webhooks.secrets import SealedSigners, place_of
from bivelio_server.webhooks.sending import Outcome, send

#: The error of a test whose endpoint was deleted before anything was sent.
DELETED: Final = "webhook_deleted"


class PreparedTest(Output):
    """The attempt as recorded. What is prepared may be stored, so the secrets stay with the endpoint."""

    delivery_id: str
    webhook_id: str
    url: str
    event: str
    body: str


async def prepare(context: Context, data: WebhookTest) -> PreparedTest:
    endpoint = await queries.get(context, data.webhook_id)
    event = data.event or endpoint.events[0]
    sample = context.services.events[event].sample.model_dump()
    told = context.services.catalogue.versions.event_data(endpoint.payload_version, event, sample)
    body = render_body(event, context.now, endpoint.id, told).decode()
    delivery_id = await queries.add_test(context, endpoint, event, body)
    context.changed(
        "webhook_deliveries", delivery_id, None, {"webhook_id": endpoint.id, "kind": "test", "event": event}
    )
    return PreparedTest(delivery_id=delivery_id, webhook_id=endpoint.id, url=endpoint.url, event=event, body=body)


async def perform(call: OutgoingCall, prepared: PreparedTest) -> Outcome:
    endpoint = await queries.find_for_call(call, prepared.webhook_id)
    if endpoint is None:
        return Outcome(call.clock.now(), 0, None, DELETED)
    place = place_of(call.caller.org_id, call.caller.environment, endpoint.id)
    signers = SealedSigners.of(endpoint, place, call.clock.now()).open(call.cipher)
    message = Message(prepared.delivery_id, prepared.event, prepared.body.encode())
    return await send(call.http, call.clock, prepared.url, message, signers)


async def record(context: Context, prepared: PreparedTest, outcome: Outcome) -> WebhookTestResult:
    result = WebhookTestResult(
        delivery_id=prepared.delivery_id,
        status="failed" if outcome.error else "delivered",
        response_status=outcome.response_status,
        duration_ms=outcome.duration_ms,
        error=outcome.error,
    )
    await queries.finish_test(context, result, prepared.url, outcome.exchange)
    return result


async def record_failure(context: Context, prepared: PreparedTest, error: IntegrationFailed) -> None:
    await record(context, prepared, Outcome(context.now, 0, None, error.code.lower()))
