"""The test message: one attempt, now, that counts for nothing."""

from base64 import b64decode, b64encode

from bivelio_server.kit.context import Context, OutgoingCall
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.models import Output
from bivelio_server.webhooks import queries
from bivelio_server.webhooks.messages import Message, render_body
from bivelio_server.webhooks.schemas import WebhookTest, WebhookTestResult
from bivelio_server.webhooks.secrets import SealedSecrets, place_of
from bivelio_server.webhooks.sending import Outcome, send


class PreparedTest(Output):
    """The attempt as recorded. What is prepared may be stored, so the secrets stay sealed (in base64)."""

    delivery_id: str
    url: str
    event: str
    body: str
    place: str
    signing_secret: str
    standard_secret: str | None


async def prepare(context: Context, data: WebhookTest) -> PreparedTest:
    endpoint = await queries.get(context, data.webhook_id)
    event = data.event or endpoint.events[0]
    body = render_body(event, context.now, endpoint.id, context.services.event_samples[event])
    return PreparedTest(
        delivery_id=await queries.add_test(context, endpoint.id),
        url=endpoint.url,
        event=event,
        body=body.decode(),
        place=place_of(context.caller.org_id, context.caller.environment, endpoint.id),
        signing_secret=b64encode(endpoint.signing_secret).decode(),
        standard_secret=None if endpoint.standard_secret is None else b64encode(endpoint.standard_secret).decode(),
    )


async def perform(call: OutgoingCall, prepared: PreparedTest) -> Outcome:
    standard = None if prepared.standard_secret is None else b64decode(prepared.standard_secret)
    secrets = SealedSecrets(b64decode(prepared.signing_secret), standard, prepared.place).open(call.cipher)
    message = Message(prepared.delivery_id, prepared.event, prepared.body.encode())
    return await send(call.http, call.clock, prepared.url, message, secrets)


async def record(context: Context, prepared: PreparedTest, outcome: Outcome) -> WebhookTestResult:
    result = WebhookTestResult(
        delivery_id=prepared.delivery_id,
        status="failed" if outcome.error else "delivered",
        response_status=outcome.response_status,
        duration_ms=outcome.duration_ms,
        error=outcome.error,
    )
    await queries.finish_test(context, result)
    return result


async def record_failure(context: Context, prepared: PreparedTest, error: IntegrationFailed) -> None:
    await record(context, prepared, Outcome(context.now, 0, None, error.code.lower()))
