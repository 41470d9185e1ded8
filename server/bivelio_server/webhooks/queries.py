"""Every query of the operations on endpoints, each built from the caller."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Select, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from bivelio_server.kit.context import Context
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import business, identity, only, page_of
from bivelio_server.webhooks.models import WebhookEndpoint
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

_ADD_TEST: Final = text("""
    with delivery as (
        insert into webhook_deliveries
            (org_id, environment, id, webhook_id, kind, status, attempts, failures, created_at)
        values (:org_id, :environment, :id, :webhook_id, 'test', 'pending', 1, 0, :now)
    )
    insert into webhook_attempts (org_id, environment, delivery_id, number, webhook_id, started_at)
    values (:org_id, :environment, :id, 1, :webhook_id, :now)
""")
_FINISH_TEST: Final = text("""
    with attempt as (
        update webhook_attempts set outcome = :status, duration_ms = :duration_ms, response_status = :response_status,
               error = :error
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


async def get_deleted(context: Context, webhook_id: str, *, since: datetime) -> WebhookEndpoint:
    """An endpoint deleted after `since`, locked. Raises NotFound."""
    deleted = business(WebhookEndpoint, context.caller).where(WebhookEndpoint.deleted_at > since)
    return await only(context.session, deleted.with_for_update(key_share=True), webhook_id, field="webhook_id")


async def list_endpoints(context: Context, data: WebhookList) -> tuple[list[WebhookEndpoint], int]:
    newest_first = _present(context).order_by(WebhookEndpoint.created_at.desc(), WebhookEndpoint.id.desc())
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


async def add_test(context: Context, webhook_id: str) -> str:
    """The id of a test delivery whose one attempt begins now."""
    delivery_id = new_id("del")
    await context.session.execute(
        _ADD_TEST, {**identity(context.caller), "id": delivery_id, "webhook_id": webhook_id, "now": context.now}
    )
    return delivery_id


async def finish_test(context: Context, result: WebhookTestResult) -> None:
    failures = 1 if result.error else 0
    values = {**identity(context.caller), **result.model_dump(), "failures": failures, "now": context.now}
    await context.session.execute(_FINISH_TEST, values)


def _present(context: Context) -> Select[WebhookEndpoint]:
    return business(WebhookEndpoint, context.caller).where(WebhookEndpoint.deleted_at.is_(None))
