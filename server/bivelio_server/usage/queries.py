"""Every query on the request log, on usage and on credits, each built from the caller."""

from datetime import datetime
from typing import Any, Final

from bivelio_server.kit.context import Context
from bivelio_server.usage.schemas import AiUsageList, CreditEntryList, RequestList, UsageList

_NEWEST_FIRST: Final = " order by at desc, id desc limit %(limit)s offset %(offset)s"
_PAGE_OF_REQUESTS: Final = "select * from request_log where "
_COUNT_OF_REQUESTS: Final = "select count(*) as total from request_log where "
_OWN: Final = "org_id = %(org_id)s and environment = %(environment)s"
#: By the parameter that each needs. Only those that are asked for are in the statement, so that the indexes are used.
_CONDITIONS: Final = {
    "request_id": "request_id = %(request_id)s",
    "from": "at >= %(from)s",
    "to": "at < %(to)s",
    "operation": "operation = %(operation)s",
    "status": "status = %(status)s",
    "class": "status between %(class)s * 100 and %(class)s * 100 + 99",
    "key_id": "key_id = %(key_id)s",
    "actor": "actor = %(actor)s",
}
#: What the index of failed requests says; the planner does not conclude it from a parameter.
_FAILED: Final = "status >= 400"
_NEWEST_REQUEST: Final = """
    select * from request_log
     where org_id = %(org_id)s and request_id = %(request_id)s and environment = any (%(environments)s)
     order by at desc, id desc limit 1
"""

# What is not grouped by becomes null in every row, and so falls together. Requests are counted by the true time,
# credits by that of their environment: the usual span begins by the one and ends by the other.
_USAGE: Final = """
    with span as (
        select coalesce(%(to)s::date, (%(now)s at time zone o.timezone)::date) as last,
               coalesce(%(from)s::date,
                        coalesce(%(to)s::date, (%(true_now)s at time zone o.timezone)::date) - %(days)s::int) as first
          from organizations o where o.id = %(org_id)s
    ), figures as (
        select day, environment, key_id, operation, requests, errors, refused, 0 as credits, duration_ms_total
          from usage_daily, span
         where org_id = %(org_id)s and day between span.first and span.last and environment = any (%(environments)s)
         union all
        select day, environment, coalesce(key_id, ''), operation, 0, 0, 0, settled_amount, 0
          from credit_entries, span
         where org_id = %(org_id)s and day between span.first and span.last and environment = any (%(environments)s)
           and state = 'settled'
    ), grouped as materialized (
        select case when %(by_day)s then day end as day,
               case when %(by_key)s then nullif(key_id, '') end as key_id,
               case when %(by_operation)s then operation end as operation,
               case when %(by_environment)s then environment end as environment,
               sum(requests)::bigint as requests, sum(errors)::bigint as errors, sum(refused)::bigint as refused,
               sum(credits)::bigint as credits, sum(duration_ms_total) / nullif(sum(requests), 0) as average_duration_ms
          from figures
         where (%(key_id)s::text is null or key_id = %(key_id)s)
           and (%(operation)s::text is null or operation = %(operation)s)
         group by 1, 2, 3, 4
    )
    select counted.total, listed.*
      from (select count(*) as total from grouped) counted
      left join lateral (
        select * from grouped
         order by day desc, requests desc, credits desc, operation, key_id, environment
         limit %(limit)s offset %(offset)s) listed on true
"""
# Without a `from`, the span ends at `to` or today and is so many days long.
_MATCHING_AI_USAGE: Final = """
    select {what} from ai_usage u join organizations o on o.id = u.org_id
     where u.org_id = %(org_id)s and u.environment = %(environment)s
       and u.day >= coalesce(%(from)s::date,
                             coalesce(%(to)s::date, (%(now)s at time zone o.timezone)::date) - %(days)s::int)
       and (%(to)s::date is null or u.day <= %(to)s)
       and (%(engine)s::text is null or u.engine = %(engine)s)
       and (%(model)s::text is null or u.model = %(model)s)
"""
_AI_USAGE: Final = (
    _MATCHING_AI_USAGE.format(what="u.*") + " order by u.day desc, u.engine, u.model limit %(limit)s offset %(offset)s"
)
_COUNT_AI_USAGE: Final = _MATCHING_AI_USAGE.format(what="count(*) as total")
_LIMITS: Final = "select * from present_limits(%(now)s)"
_CREDITS: Final = "select * from present_credits(%(now)s)"
_MATCHING_ENTRIES: Final = """
    select {what} from credit_entries
     where org_id = %(org_id)s and environment = %(environment)s
       and (%(from)s::date is null or day >= %(from)s) and (%(to)s::date is null or day <= %(to)s)
       and (%(state)s::text is null or state = %(state)s)
       and (%(operation)s::text is null or operation = %(operation)s)
       and (%(key_id)s::text is null or key_id = %(key_id)s)
"""
_ENTRIES: Final = _MATCHING_ENTRIES.format(what="*") + _NEWEST_FIRST
_COUNT_ENTRIES: Final = _MATCHING_ENTRIES.format(what="count(*) as total")


async def list_requests(
    context: Context, data: RequestList, environment: str, since: datetime | None
) -> tuple[list[Any], int]:
    """One page of the environment's requests and how many match; `since` is the first moment."""
    wanted = {
        "request_id": data.request_id,
        "from": since,
        "to": data.to,
        "operation": data.operation,
        "status": data.status,
        "class": int(data.status_class[0]) if data.status_class else None,
        "key_id": data.key_id,
        "actor": data.actor,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    conditions = [_OWN, *(_CONDITIONS[name] for name in given)]
    if (data.status or 0) >= 400 or data.status_class in ("4xx", "5xx"):
        conditions.append(_FAILED)
    where = " and ".join(conditions)
    tenant = {"org_id": context.caller.org_id, "environment": environment}
    return await _page(
        context,
        _PAGE_OF_REQUESTS + where + _NEWEST_FIRST,
        _COUNT_OF_REQUESTS + where,
        {**tenant, **given},
        data.per_page,
        data.offset,
    )


async def find_request(context: Context, request_id: str, environments: list[str]) -> Any | None:
    """The newest request under this id, which clients choose and may repeat."""
    wanted = {"org_id": context.caller.org_id, "request_id": request_id, "environments": environments}
    rows = await context.session.run(_NEWEST_REQUEST, wanted)
    return rows[0] if rows else None


async def list_usage(context: Context, data: UsageList, environments: list[str], *, days: int) -> tuple[list[Any], int]:
    """One page of groups and how many there are; the span ends today and is `days` long unless given."""
    rows = await context.session.run(
        _USAGE,
        {
            "org_id": context.caller.org_id,
            "environments": environments,
            "now": context.now,
            "true_now": context.services.clock.outside(),
            "from": data.from_,
            "to": data.to,
            "days": days,
            "by_day": "day" in data.group_by,
            "by_key": "key" in data.group_by,
            "by_operation": "operation" in data.group_by,
            "by_environment": "environment" in data.group_by,
            "key_id": data.key_id,
            "operation": data.operation,
            "limit": data.per_page,
            "offset": data.offset,
        },
    )
    return [row for row in rows if row.requests is not None], rows[0].total


async def list_ai_usage(context: Context, data: AiUsageList, environment: str, *, days: int) -> tuple[list[Any], int]:
    """One page of days and models, and how many there are; the span as `list_usage` has it."""
    wanted = {
        "org_id": context.caller.org_id,
        "environment": environment,
        "now": context.now,
        "from": data.from_,
        "to": data.to,
        "days": days,
        "engine": data.engine,
        "model": data.model,
    }
    return await _page(context, _AI_USAGE, _COUNT_AI_USAGE, wanted, data.per_page, data.offset)


async def limits(context: Context) -> Any:
    [row] = await context.session.run(_LIMITS, {"now": context.services.clock.outside()})
    return row


async def credits_of_month(context: Context) -> Any:
    [row] = await context.session.run(_CREDITS, {"now": context.now})
    return row


async def list_entries(context: Context, data: CreditEntryList, environment: str) -> tuple[list[Any], int]:
    wanted = {
        "org_id": context.caller.org_id,
        "environment": environment,
        "from": data.from_,
        "to": data.to,
        "state": data.state,
        "operation": data.operation,
        "key_id": data.key_id,
    }
    return await _page(context, _ENTRIES, _COUNT_ENTRIES, wanted, data.per_page, data.offset)


async def _page(
    context: Context, page: str, total: str, wanted: dict[str, Any], limit: int, offset: int
) -> tuple[list[Any], int]:
    rows = await context.session.run(page, {**wanted, "limit": limit, "offset": offset})
    [counted] = await context.session.run(total, wanted)
    return rows, counted.total
