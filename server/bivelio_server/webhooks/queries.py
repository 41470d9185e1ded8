"""Every query of the operations on endpoints and deliveries, each built from the caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from bivelio_server.kit import json
from bivelio_server.kit.context import Context, OutgoingCall
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import business, identity, only, page_of
from bivelio_server.webhooks.delivery_schemas import DeliveryList
from bivelio_server.webhooks.exchanges import Exchange
from bivelio_server.webhooks.models import WebhookDelivery, WebhookEndpoint
from bivelio_server.webhooks.schemas import WebhookList, WebhookTestResult


@dataclass(frozen=True, slots=True)
class Record:
    """How an endpoint has fared lately."""

    last_triggered_at: datetime | None = None
    success_rate: float | None = None


_RECORDS: Final = text("""
    select e.id, last.started_at, rate.delivered
      from unnest(:webhook_ids) as e (id)
      left join lateral (
        select a.started_at from webhook_attempts a
         where a.org_id = :org_id and a.environment = :environment and a.webhook_id = e.id
         order by a.started_at desc limit 1) last on true
      left join lateral (
        select avg((finished.status = 'delivered')::int)::float8 as delivered from (
            select d.status from webhook_deliveries d
             where d.org_id = :org_id and d.environment = :environment and d.webhook_id = e.id
               and d.finished_at is not null and d.kind = 'event' and d.status in ('delivered', 'failed')
             order by d.finished_at desc limit 100) finished) rate on true
""").bindparams(bindparam("webhook_ids", type_=ARRAY(Text)))

# Rows are locked in the order of their ids, as `ledger.py` does: the two never wait for each other in a circle.
_CHANGE_PENDING: Final = """
    with pending as materialized (
        select d.id from webhook_deliveries d
         where d.org_id = :org_id and d.environment = :environment and d.webhook_id = :webhook_id
           and d.kind = 'event' and d.finished_at is null
         order by d.id for update
    )
    update webhook_deliveries d set {change} from pending p
     where d.org_id = :org_id and d.environment = :environment and d.id = p.id
"""
_PARK: Final = text(_CHANGE_PENDING.format(change="next_attempt_at = null"))
_GO_ON: Final = text(_CHANGE_PENDING.format(change="next_attempt_at = :now, failures = 0"))
_CANCEL: Final = text(_CHANGE_PENDING.format(change="status = 'cancelled', finished_at = :now, next_attempt_at = null"))

# Those that are parked are pending with no time set.
_RECOVER: Final = """
    with chosen as materialized (
        select d.id from webhook_deliveries d
         where d.org_id = %(org_id)s and d.environment = %(environment)s and d.webhook_id = %(webhook_id)s
           and d.created_at >= %(since)s and d.created_at <= %(until)s and d.kind = 'event'
           and (d.status in ('failed', 'cancelled') or d.status = 'pending' and d.next_attempt_at is null)
         order by d.id for update
    ), queued as (
        update webhook_deliveries d
           set status = 'pending', failures = 0, finished_at = null, next_attempt_at = %(now)s from chosen c
         where d.org_id = %(org_id)s and d.environment = %(environment)s and d.id = c.id
        returning d.id
    )
    select count(*) as recovered from queued
"""
_LAST_ATTEMPTS: Final = """
    select a.delivery_id, a.number, a.started_at, a.outcome, a.duration_ms, a.response_status, a.error
      from webhook_deliveries d
      join webhook_attempts a on a.org_id = d.org_id and a.environment = d.environment
                             and a.delivery_id = d.id and a.number = d.attempts
     where d.org_id = %(org_id)s and d.environment = %(environment)s and d.id = any (%(ids)s)
"""
_ATTEMPTS: Final = """
    select * from (
        select a.* from webhook_attempts a
         where a.org_id = %(org_id)s and a.environment = %(environment)s and a.delivery_id = %(id)s
         order by a.number desc limit %(limit)s) newest
     order by number
"""
_EVENT: Final = """
    select occurred_at, data from events
     where org_id = %(org_id)s and environment = %(environment)s and id = %(event_id)s
"""

_ADD_TEST: Final = text("""
    with delivery as (
        insert into webhook_deliveries
            (org_id, environment, id, webhook_id, event, kind, status, payload_version, body, attempts, failures,
             created_at)
        values (:org_id, :environment, :id, :webhook_id, :event, 'test', 'pending', :payload_version, :body, 1, 0, :now)
    )
    insert into webhook_attempts (org_id, environment, delivery_id, number, webhook_id, started_at)
    values (:org_id, :environment, :id, 1, :webhook_id, :now)
""")
_FINISH_TEST: Final = text("""
    with attempt as (
        update webhook_attempts set outcome = :status, duration_ms = :duration_ms, response_status = :response_status,
               error = :error, url = :url, request_headers = cast(:request_headers as jsonb),
               response_headers = cast(:response_headers as jsonb), response_body = :response_body,
               response_truncated = :response_truncated
         where org_id = :org_id and environment = :environment and delivery_id = :delivery_id and number = 1
    )
    update webhook_deliveries set status = :status, finished_at = :now, failures = :failures
     where org_id = :org_id and environment = :environment and id = :delivery_id
""")


async def get(context: Context, webhook_id: str, *, lock: bool = False) -> WebhookEndpoint:
    """An endpoint that is not deleted. Raises NotFound."""
    query = _present(context)
    # Not FOR UPDATE: events that queue deliveries refer to the row and need not wait.
    return await only(
        context.session, query.with_for_update(key_share=True) if lock else query, webhook_id, field="webhook_id"
    )


async def find_for_call(call: OutgoingCall, webhook_id: str) -> WebhookEndpoint | None:
    """An endpoint that is not deleted, in a transaction of its own: for what happens between two of an operation."""
    wanted = business(WebhookEndpoint, call.caller).where(
        WebhookEndpoint.id == webhook_id, WebhookEndpoint.deleted_at.is_(None)
    )
    async with call.services.database.transaction(call.caller) as session:
        found: WebhookEndpoint | None = await session.scalar(wanted)
    return found


async def get_deleted(context: Context, webhook_id: str, *, since: datetime) -> WebhookEndpoint:
    """An endpoint deleted after `since`, locked. Raises NotFound."""
    deleted = _deleted(context, since=since).with_for_update(key_share=True)
    return await only(context.session, deleted, webhook_id, field="webhook_id")


async def list_endpoints(
    context: Context, data: WebhookList, *, deleted_after: datetime
) -> tuple[list[WebhookEndpoint], int]:
    """One page of endpoints, and how many there are in all; deleted ones if still restorable."""
    query = _deleted(context, since=deleted_after) if data.deleted else _present(context)
    newest_first = query.order_by(WebhookEndpoint.created_at.desc(), WebhookEndpoint.id.desc())
    return await page_of(context.session, newest_first, data)


async def count_alone(context: Context) -> int:
    """How many endpoints there are; until the transaction ends, nobody else of the tenant gets to count."""
    tenant = f"webhooks {context.caller.org_id} {context.caller.environment.value}"
    await context.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(tenant, 0))))
    total = await context.session.scalar(select(func.count()).select_from(_present(context).subquery()))
    return total or 0


async def records(context: Context, webhook_ids: list[str]) -> dict[str, Record]:
    rows = await context.session.execute(_RECORDS, {**identity(context.caller), "webhook_ids": webhook_ids})
    return {
        webhook_id: Record(last_triggered_at, None if rate is None else round(rate, 4))
        for webhook_id, last_triggered_at, rate in rows
    }


async def park(context: Context, webhook_id: str) -> None:
    """Nothing pending is due until `go_on`."""
    await context.session.execute(_PARK, {**identity(context.caller), "webhook_id": webhook_id})


async def go_on(context: Context, webhook_id: str) -> None:
    """Everything pending is due now, with all attempts before it."""
    whose = {**identity(context.caller), "webhook_id": webhook_id}
    await context.session.execute(_GO_ON, {**whose, "now": context.now})


async def cancel(context: Context, webhook_id: str) -> None:
    """Nothing pending will be delivered."""
    whose = {**identity(context.caller), "webhook_id": webhook_id}
    await context.session.execute(_CANCEL, {**whose, "now": context.now})


async def list_deliveries(context: Context, data: DeliveryList) -> tuple[list[WebhookDelivery], int]:
    """One page of deliveries, newest first. Raises NotFound for an endpoint; a deleted one still has its own."""
    query = business(WebhookDelivery, context.caller)
    if data.webhook_id is not None:
        await only(context.session, business(WebhookEndpoint, context.caller), data.webhook_id, field="webhook_id")
        query = query.where(WebhookDelivery.webhook_id == data.webhook_id)
    for name in ("status", "event", "event_id"):
        if (value := getattr(data, name)) is not None:
            query = query.where(getattr(WebhookDelivery, name) == value)
    if data.created_after is not None:
        query = query.where(WebhookDelivery.created_at >= data.created_after)
    if data.created_before is not None:
        query = query.where(WebhookDelivery.created_at < data.created_before)
    newest_first = query.order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc())
    return await page_of(context.session, newest_first, data)


async def get_delivery(context: Context, delivery_id: str, *, lock: bool = False) -> WebhookDelivery:
    """Raises NotFound."""
    query = business(WebhookDelivery, context.caller)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return await only(context.session, query, delivery_id, field="delivery_id")


async def last_attempts(context: Context, deliveries: Sequence[WebhookDelivery]) -> dict[str, Any]:
    """The newest attempt at each delivery that has any, without what was sent and got, by delivery."""
    ids = [delivery.id for delivery in deliveries]
    rows = await context.session.run(_LAST_ATTEMPTS, {**identity(context.caller), "ids": ids})
    return {row.delivery_id: row for row in rows}


async def attempts(context: Context, delivery_id: str, *, limit: int) -> list[Any]:
    """The newest attempts at a delivery, oldest first."""
    return await context.session.run(_ATTEMPTS, {**identity(context.caller), "id": delivery_id, "limit": limit})


async def event_of(context: Context, delivery: WebhookDelivery) -> Any:
    """When the event of a delivery occurred, and its `data`. None for a test."""
    rows = await context.session.run(_EVENT, {**identity(context.caller), "event_id": delivery.event_id})
    return rows[0] if rows else None


async def hold_endpoint(context: Context, webhook_id: str) -> WebhookEndpoint:
    """An endpoint that nobody disables, pauses or deletes until the transaction ends; it may be deleted already.
    Raises NotFound."""
    query = business(WebhookEndpoint, context.caller).with_for_update(read=True)
    return await only(context.session, query, webhook_id, field="webhook_id")


async def recover(context: Context, webhook_id: str, since: datetime, until: datetime) -> int:
    """How many deliveries, created in this time and not delivered, are due now with all attempts before them."""
    whose = {**identity(context.caller), "webhook_id": webhook_id, "since": since, "until": until}
    rows = await context.session.run(_RECOVER, {**whose, "now": context.now})
    return int(rows[0].recovered)


async def add_test(context: Context, endpoint: WebhookEndpoint, event: str, body: str) -> str:
    """The id of a test delivery whose one attempt begins now."""
    delivery_id = new_id("del")
    await context.session.execute(
        _ADD_TEST,
        {
            **identity(context.caller),
            "id": delivery_id,
            "webhook_id": endpoint.id,
            "event": event,
            "payload_version": endpoint.payload_version,
            "body": body,
            "now": context.now,
        },
    )
    return delivery_id


async def finish_test(context: Context, result: WebhookTestResult, url: str, exchange: Exchange | None) -> None:
    kept = (exchange or Exchange(url)).columns()
    for name in ("request_headers", "response_headers"):
        kept[name] = None if kept[name] is None else json.dumps(kept[name]).decode()
    failures = 1 if result.error else 0
    values = {**identity(context.caller), **result.model_dump(), **kept, "failures": failures, "now": context.now}
    await context.session.execute(_FINISH_TEST, values)


def _present(context: Context) -> Select[WebhookEndpoint]:
    return business(WebhookEndpoint, context.caller).where(WebhookEndpoint.deleted_at.is_(None))


def _deleted(context: Context, *, since: datetime) -> Select[WebhookEndpoint]:
    return business(WebhookEndpoint, context.caller).where(WebhookEndpoint.deleted_at > since)
