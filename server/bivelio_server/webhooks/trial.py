"""The test message: one attempt, now, that counts for nothing."""

from base64 import b64decode, b64encode

from bivelio_server.kit.context import Context, OutgoingCall
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.models import Output
from bivelio_server.webhooks import queries
from bivelio_server.webhooks.messages import Message, render_body
from bivelio_server.webhooks.schemas import WebhookTest, WebhookTestResult
from bivelio_server.webhooks.secrets import SealedSecrets, SealedSigners, place_of
from bivelio_server.webhooks.sending import Outcome, send


class PreparedTest(Output):
    """The attempt as recorded. What is prepared may be stored, so the secrets stay sealed (in base64)."""

    delivery_id: str
    url: str
    event: str
    body: str
    place: str
    present: list[str | None]
    previous: list[str | None] | None


async def prepare(context: Context, data: WebhookTest) -> PreparedTest:
    endpoint = await queries.get(context, data.webhook_id)
    event = data.event or endpoint.events[0]
    sample = context.services.events[event].sample.model_dump()
    told = context.services.catalogue.versions.event_data(endpoint.payload_version, event, sample)
    body = render_body(event, context.now, endpoint.id, told).decode()
    place = place_of(context.caller.org_id, context.caller.environment, endpoint.id)
    signers = SealedSigners.of(endpoint, place, context.now)
    delivery_id = await queries.add_test(context, endpoint, event, body)
    context.changed(
        "webhook_deliveries", delivery_id, None, {"webhook_id": endpoint.id, "kind": "test", "event": event}
    )
    return PreparedTest(
        delivery_id=delivery_id,
        url=endpoint.url,
        event=event,
        body=body,
        place=place,
        present=_encode(signers.present),
        previous=None if signers.previous is None else _encode(signers.previous),
    )


async def perform(call: OutgoingCall, prepared: PreparedTest) -> Outcome:
    previous = None if prepared.previous is None else _decode(prepared.previous, prepared.place)
    signers = SealedSigners(_decode(prepared.present, prepared.place), previous).open(call.cipher)
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


def _encode(secrets: SealedSecrets) -> list[str | None]:
    return [None if one is None else b64encode(one).decode() for one in (secrets.signing, secrets.standard)]


def _decode(encoded: list[str | None], place: str) -> SealedSecrets:
    signing, standard = encoded
    assert signing is not None
    return SealedSecrets(b64decode(signing), None if standard is None else b64decode(standard), place)
