"""Webhooks: where an organisation wants to be told of events, and how that went."""

from datetime import datetime
from typing import Any, Final

from bivelio_server.events.recording import subscribe
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import (
    Conflict,
    Impossible,
    NotFound,
    Problem,
    StaleVersion,
    ValidationFailed,
    null_refused,
)
from bivelio_server.kit.http import AddressRefused, UrlInvalid, check_url
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Nothing, Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.origin import Door
from bivelio_server.kit.rows import RESTORABLE, identity, require_version
from bivelio_server.kit.text import Text
from bivelio_server.kit.versions import VERSIONS
from bivelio_server.webhooks import queries, rotation, trial
from bivelio_server.webhooks.delivery_schemas import (
    Delivery,
    DeliveryList,
    DeliveryPage,
    DeliveryReference,
    DeliveryView,
    Recovered,
    WebhookRecover,
)
from bivelio_server.webhooks.models import WebhookEndpoint
from bivelio_server.webhooks.queries import Record
from bivelio_server.webhooks.queueing import KIND, TOPIC
from bivelio_server.webhooks.schemas import (
    CreatedWebhook,
    EventDirectory,
    Webhook,
    WebhookCreate,
    WebhookList,
    WebhookPage,
    WebhookReference,
    WebhookSecretRotate,
    WebhookUpdate,
)
from bivelio_server.webhooks.secrets import SealedSecrets, SigningSecrets, choose_secrets, place_of
from bivelio_server.webhooks.views import endpoint_view, event_view, show, show_deliveries, show_delivery

MAX_ENDPOINTS: Final = 50

feature: Final = Feature(
    "webhooks",
    doors=DIRECT_DOORS,
    doors_reason="an automation must not be able to send the organisation's events elsewhere",
)


@feature.operation(
    "create", scope=Scope.admin, effect=Effect.transactional, secret_output=True, errors=[Impossible, Conflict],
    summary=Text("Registra un webhook", "Register a webhook"),
)  # fmt: skip
async def create(context: Context, data: WebhookCreate) -> CreatedWebhook:
    _require_callable(context, data.url)
    await _require_room(context)
    now, webhook_id, secrets = context.now, new_id("wh"), choose_secrets(data.secret)
    sealed = SealedSecrets.seal(
        context.services.cipher, secrets, place_of(context.caller.org_id, context.caller.environment, webhook_id)
    )
    row = WebhookEndpoint(
        **identity(context.caller), id=webhook_id, url=data.url, events=data.events, description=data.description,
        status="active", signing_secret=sealed.signing, standard_secret=sealed.standard,
        disable_policy=data.disable_policy, payload_version=VERSIONS.newest, version=1,
        created_at=now, updated_at=now,
    )  # fmt: skip
    context.session.add(row)
    await context.session.flush()
    await subscribe(context, KIND, row.id, row.events)
    return _with_secrets(endpoint_view(row, Record(), now), secrets)


@feature.operation(
    "list", scope=Scope.admin, effect=Effect.read,
    summary=Text("Lista los webhooks", "List the webhooks"),
)  # fmt: skip
async def list_webhooks(context: Context, data: WebhookList) -> WebhookPage:
    rows, total = await queries.list_endpoints(context, data, deleted_after=context.now - RESTORABLE)
    records = await queries.records(context, [row.id for row in rows])
    webhooks = [endpoint_view(row, records[row.id], context.now) for row in rows]
    return WebhookPage(webhooks=webhooks, pagination=Pagination.of(data, total))


@feature.operation(
    "get", scope=Scope.admin, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene un webhook", "Get a webhook"),
)  # fmt: skip
async def get(context: Context, data: WebhookReference) -> Webhook:
    return await show(context, await queries.get(context, data.webhook_id))


@feature.operation(
    "update", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound, Impossible, StaleVersion],
    summary=Text("Actualiza un webhook, o lo reactiva", "Update a webhook, or enable it again"),
)  # fmt: skip
async def update(context: Context, data: WebhookUpdate) -> Webhook:
    row = await queries.get(context, data.webhook_id, lock=True)
    require_version(row, data.if_version)
    given = _given(context, data)
    if any(getattr(row, name) != value for name, value in given.items()):
        await _change(context, row, given)
    return await show(context, row)


@feature.operation(
    "delete", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Borra un webhook y deja de entregarle eventos", "Delete a webhook and stop delivering to it"),
)  # fmt: skip
async def delete(context: Context, data: WebhookReference) -> Webhook:
    row = await queries.get(context, data.webhook_id, lock=True)
    row.deleted_at = context.now
    await context.session.flush()
    await subscribe(context, KIND, row.id, [])
    await queries.cancel(context, row.id)
    return await show(context, row)


@feature.operation(
    "restore", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound, Conflict],
    summary=Text("Restaura un webhook borrado, en pausa", "Restore a deleted webhook, paused"),
)  # fmt: skip
async def restore(context: Context, data: WebhookReference) -> Webhook:
    row = await queries.get_deleted(context, data.webhook_id, since=context.now - RESTORABLE)
    await _require_room(context)
    row.deleted_at, row.status = None, "paused"
    row.disabled_at = row.disabled_reason = None
    row.updated_at, row.version = context.now, row.version + 1
    await context.session.flush()
    return await show(context, row)


@feature.operation(
    "rotate_secret", scope=Scope.admin, effect=Effect.transactional, secret_output=True,
    errors=[NotFound, Impossible, Conflict],
    summary=Text("Cambia el secreto de un webhook", "Change the secret of a webhook"),
)  # fmt: skip
async def rotate_secret(context: Context, data: WebhookSecretRotate) -> CreatedWebhook:
    row = await queries.get(context, data.webhook_id, lock=True)
    secrets = rotation.rotate(context, row, data)
    row.updated_at, row.version = context.now, row.version + 1
    await context.session.flush()
    return _with_secrets(await show(context, row), secrets)


@feature.operation(
    "events", scope=Scope.admin, effect=Effect.read,
    summary=Text("Lista los eventos que se pueden pedir", "List the events that can be asked for"),
)  # fmt: skip
async def list_events(context: Context, data: Nothing) -> EventDirectory:  # noqa: ARG001 - it takes nothing
    return EventDirectory(events=[event_view(event) for event in context.services.events.values()])


@feature.operation(
    "list_deliveries", scope=Scope.admin, effect=Effect.read, errors=[NotFound, Impossible],
    summary=Text("Lista los envíos", "List the deliveries"),
)  # fmt: skip
async def list_deliveries(context: Context, data: DeliveryList) -> DeliveryPage:
    _require_order("created_before", data.created_after, data.created_before)
    rows, total = await queries.list_deliveries(context, data)
    return DeliveryPage(deliveries=await show_deliveries(context, rows), pagination=Pagination.of(data, total))


@feature.operation(
    "get_delivery", scope=Scope.admin, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene un envío con todos sus intentos", "Get a delivery with every attempt"),
)  # fmt: skip
async def get_delivery(context: Context, data: DeliveryReference) -> DeliveryView:
    return await show_delivery(context, await queries.get_delivery(context, data.delivery_id))


@feature.operation(
    "resend", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound, Conflict],
    summary=Text("Envía un mensaje otra vez", "Send a message once more"),
)  # fmt: skip
async def resend(context: Context, data: DeliveryReference) -> Delivery:
    """Whatever became of it. One that is due already is not queued twice."""
    found = await queries.get_delivery(context, data.delivery_id)
    _require_active(await queries.hold_endpoint(context, found.webhook_id))
    row = await queries.get_delivery(context, data.delivery_id, lock=True)
    if row.kind == "test":
        raise Conflict(_TESTS_AGAIN)
    row.status, row.failures = "pending", 0
    row.next_attempt_at, row.finished_at = context.now, None
    await context.session.flush()
    context.wake(TOPIC)
    [view] = await show_deliveries(context, [row])
    return view


@feature.operation(
    "recover", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound, Conflict, Impossible],
    summary=Text("Envía otra vez lo que no se entregó en un periodo", "Send again what was not delivered in a period"),
)  # fmt: skip
async def recover(context: Context, data: WebhookRecover) -> Recovered:
    until = data.until or context.now
    _require_order("since" if data.until is None else "until", data.since, until)
    _require_active(await queries.hold_endpoint(context, data.webhook_id))
    recovered = await queries.recover(context, data.webhook_id, data.since, until)
    context.changed(
        "webhook_endpoints", data.webhook_id, {}, {"recovered": recovered, "since": data.since, "until": until}
    )
    context.wake(TOPIC)
    return Recovered(webhook_id=data.webhook_id, recovered=recovered)


feature.external(
    "test", scope=Scope.admin, errors=[NotFound], irreversible=False,
    prepare=trial.prepare, perform=trial.perform, record=trial.record, record_failure=trial.record_failure,
    doors=DIRECT_DOORS | {Door.workflow},
    doors_reason="agents have no use for it; a workflow may watch over its receivers",
    summary=Text("Envía un mensaje de prueba firmado", "Send a signed test message"),
)  # fmt: skip


async def _require_room(context: Context) -> None:
    if await queries.count_alone(context) >= MAX_ENDPOINTS:
        raise Conflict(_TOO_MANY, details={"max_webhooks": MAX_ENDPOINTS})


def _given(context: Context, data: WebhookUpdate) -> dict[str, Any]:
    given = data.model_dump(include=data.model_fields_set - {"webhook_id", "if_version"})
    for name, value in given.items():
        if value is None and name != "description":
            raise null_refused(name)
    if "url" in given:
        _require_callable(context, given["url"])
    return given


async def _change(context: Context, row: WebhookEndpoint, given: dict[str, Any]) -> None:
    was_active = row.status == "active"
    for name, value in given.items():
        setattr(row, name, value)
    if "status" in given:
        row.disabled_at = row.disabled_reason = None
    if "status" in given or "url" in given:
        row.failing_since = None
    row.updated_at = context.now
    row.version += 1
    await context.session.flush()
    is_active = row.status == "active"
    await subscribe(context, KIND, row.id, row.events if is_active else [])
    if was_active and not is_active:
        await queries.park(context, row.id)
    if is_active and not was_active:
        await queries.go_on(context, row.id)
        context.wake(TOPIC)


def _with_secrets(view: Webhook, secrets: SigningSecrets) -> CreatedWebhook:
    return CreatedWebhook(signing_secret=secrets.signing, standard_secret=secrets.standard, **view.model_dump())


def _require_active(row: WebhookEndpoint) -> None:
    if row.deleted_at is not None or row.status != "active":
        status = row.status if row.deleted_at is None else "deleted"
        raise Conflict(_ENABLE_FIRST.format(webhook_id=row.id), details={"webhook_id": row.id, "status": status})


def _require_order(field: str, begin: datetime | None, end: datetime | None) -> None:
    if begin is not None and end is not None and end <= begin:
        raise Impossible(Problem(field, "order", _NO_TIME.format(field=field)))


def _require_callable(context: Context, url: str) -> None:
    try:
        check_url(url, context.services.settings.private_networks)
    except UrlInvalid:
        raise ValidationFailed(Problem("url", "url", _NOT_A_URL)) from None
    except AddressRefused:
        raise Impossible(Problem("url", "public_address", _NOT_PUBLIC)) from None


_TOO_MANY: Final = Text(
    f"Hay {MAX_ENDPOINTS} webhooks, que es el máximo; borra alguno.",
    f"There are {MAX_ENDPOINTS} webhooks, which is the maximum; delete one.",
)
_ENABLE_FIRST: Final = Text(
    "El webhook {webhook_id} no está activo: actívalo antes (webhooks.update con status: active; si está borrado,"
    " webhooks.restore).",
    "The webhook {webhook_id} is not active: enable it first (webhooks.update with status: active; if it is deleted,"
    " webhooks.restore).",
)
_TESTS_AGAIN: Final = Text(
    "Una prueba no se reenvía: haz otra con webhooks.test.", "A test is not sent again: make another, webhooks.test."
)
_NO_TIME: Final = Text(
    "El campo '{field}' no deja ningún tiempo entre el comienzo y el final del periodo.",
    "The field '{field}' leaves no time between the beginning and the end of the period.",
)
_NOT_A_URL: Final = Text(
    "El campo 'url' debe ser una URL http o https completa, sin usuario ni contraseña.",
    "The field 'url' must be a complete http or https URL, without user or password.",
)
_NOT_PUBLIC: Final = Text(
    "El campo 'url' debe llevar a una dirección pública (puertos 80, 443 o desde 1024).",
    "The field 'url' must lead to a public address (ports 80, 443 or from 1024).",
)
