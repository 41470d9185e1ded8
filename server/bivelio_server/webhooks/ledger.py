"""What the delivering side writes down, in batches, in transactions of its lane."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from bivelio_server.durable import LaneRun
from bivelio_server.events.recording import unsubscribe
from bivelio_server.kit import json
from bivelio_server.kit.db import Transaction
from bivelio_server.webhooks.messages import Message, render_body
from bivelio_server.webhooks.notices import notify_disabled
from bivelio_server.webhooks.queueing import KIND
from bivelio_server.webhooks.schedule import MAX_FAILURES, PATIENCE, delay_after, failing_since
from bivelio_server.webhooks.schemas import DisabledReason
from bivelio_server.webhooks.secrets import SealedSigners, Signers, place_of
from bivelio_server.webhooks.sending import GONE, Outcome

_ENDPOINT: Final = text("""
    select e.url, e.signing_secret, e.standard_secret, e.previous_signing_secret, e.previous_standard_secret,
           e.previous_until, e.failing_since, last.outcome, last.duration_ms
      from webhook_endpoints e
      left join lateral (
        select a.outcome, a.duration_ms from webhook_attempts a
         where a.org_id = e.org_id and a.environment = e.environment and a.webhook_id = e.id
           and a.outcome in ('delivered', 'failed')
         order by a.started_at desc limit 1) last on true
     where e.org_id = :org_id and e.environment = :environment and e.id = :webhook_id
       and e.status = 'active' and e.deleted_at is null
""")

# Here and below, `= any (…)` beside a join lets the whole key into the index condition, whatever the planner knows of
# the tables yet. Those that have failed most come first, so that retries keep their schedule behind whatever backlog.
# An attempt without an outcome is that of a worker that died: the lane is ours alone.
_BEGIN: Final = text("""
    with due as materialized (
        select d.id, d.attempts, d.failures, d.event_id, d.payload_version
          from generate_series(:most_failures, 0, -1) as tried (failures)
         cross join lateral (
            select w.id, w.attempts, w.failures, w.event_id, w.payload_version from webhook_deliveries w
             where w.org_id = :org_id and w.environment = :environment and w.webhook_id = :webhook_id
               and w.failures = tried.failures and w.next_attempt_at <= :now and w.id <> all (:in_flight)
             order by w.next_attempt_at limit :places
               for update skip locked) d
         limit :places
    ), interrupted as (
        update webhook_attempts set outcome = 'interrupted'
         where org_id = :org_id and environment = :environment
           and delivery_id = any (array(select id from due where attempts > 0)) and outcome is null
    ), counted as (
        update webhook_deliveries set attempts = attempts + 1
         where org_id = :org_id and environment = :environment and id = any (array(select id from due))
    ), begun as (
        insert into webhook_attempts (org_id, environment, delivery_id, number, webhook_id, started_at)
        select :org_id, :environment, due.id, due.attempts + 1, :webhook_id, :now from due
    )
    select due.id, due.attempts + 1 as number, due.failures, due.payload_version,
           e.event, e.occurred_at, e.data::text as data, e.traceparent
      from due join events e on e.id = due.event_id
     where e.org_id = :org_id and e.environment = :environment and e.id = any (array(select event_id from due))
""").bindparams(bindparam("in_flight", type_=ARRAY(Text)))

# Rows are locked in the order of their ids, as `queries.py` does. One that is parked meanwhile stays so.
_SETTLE: Final = text("""
    with settled as materialized (
        select * from jsonb_to_recordset(cast(:settled as jsonb)) as s (
            delivery_id text, number int, outcome text, duration_ms int, response_status int, error text, url text,
            request_headers jsonb, response_headers jsonb, response_body text, response_truncated boolean,
            ended_at timestamptz, next_attempt_at timestamptz)
    ), attempts as (
        update webhook_attempts a set outcome = s.outcome, duration_ms = s.duration_ms,
               response_status = s.response_status, error = s.error, url = s.url, request_headers = s.request_headers,
               response_headers = s.response_headers, response_body = s.response_body,
               response_truncated = s.response_truncated
          from settled s
         where a.org_id = :org_id and a.environment = :environment and a.delivery_id = any (:ids)
           and a.delivery_id = s.delivery_id and a.number = s.number
    ), pending as materialized (
        select d.id, case when s.outcome = 'delivered' then 'delivered'
                          when d.failures + 1 >= :max_failures then 'failed' else 'pending' end as status
          from webhook_deliveries d join settled s on s.delivery_id = d.id
         where d.org_id = :org_id and d.environment = :environment and d.id = any (:ids) and d.status = 'pending'
         order by d.id for update of d
    )
    update webhook_deliveries d
       set status = p.status,
           failures = d.failures + (s.outcome = 'failed')::int,
           finished_at = case when p.status <> 'pending' then s.ended_at end,
           next_attempt_at = case when p.status = 'pending' and d.next_attempt_at is not null then s.next_attempt_at end
      from pending p join settled s on s.delivery_id = p.id
     where d.org_id = :org_id and d.environment = :environment and d.id = any (:ids) and d.id = p.id
    returning d.id, d.status
""").bindparams(bindparam("ids", type_=ARRAY(Text)))

_LOCK_ENDPOINT: Final = text("""
    select e.url, e.disable_policy, e.failing_since, last.started_at as last_failed_at
      from webhook_endpoints e
      left join lateral (
        select a.started_at from webhook_attempts a
         where e.failing_since is not null
           and a.org_id = e.org_id and a.environment = e.environment and a.webhook_id = e.id and a.outcome = 'failed'
         order by a.started_at desc limit 1) last on true
     where e.org_id = :org_id and e.environment = :environment and e.id = :webhook_id
       and e.status = 'active' and e.deleted_at is null
       for no key update of e
""")
_FAILING: Final = text("""
    update webhook_endpoints set failing_since = :since
     where org_id = :org_id and environment = :environment and id = :webhook_id
""")
_DISABLE: Final = text("""
    with disabled as (
        update webhook_endpoints set status = 'disabled', disabled_at = :now, disabled_reason = :reason,
               failing_since = :since, updated_at = :now, version = version + 1
         where org_id = :org_id and environment = :environment and id = :webhook_id
    ), pending as materialized (
        select d.id from webhook_deliveries d
         where d.org_id = :org_id and d.environment = :environment and d.webhook_id = :webhook_id
           and d.next_attempt_at is not null
         order by d.id for update
    )
    update webhook_deliveries d set next_attempt_at = null from pending p
     where d.org_id = :org_id and d.environment = :environment and d.id = p.id
""")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an active endpoint's messages go. `trusted`: its last attempt was delivered, and soon; `failing`: nothing
    was since one failed."""

    url: str
    signers: Signers
    trusted: bool
    failing: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was written down as begun. `failures`: how many attempts at the message failed before;
    `traceparent`: the span that recorded the event."""

    message: Message
    number: int
    failures: int
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt at `url` and what came of it."""

    attempt: Attempt
    url: str
    outcome: Outcome

    @property
    def failed(self) -> bool:
        return self.outcome.error is not None


class Ledger:
    """One transaction of one endpoint's lane."""

    def __init__(self, run: LaneRun, session: Transaction) -> None:
        self._run = run
        self._session = session
        self._endpoint = {"org_id": run.org_id, "environment": run.environment.value, "webhook_id": run.key}

    async def endpoint(self, *, prompt_ms: int) -> Endpoint | None:
        """The endpoint if it is active; trusted when the last answer was good and took at most `prompt_ms`."""
        row = (await self._session.execute(_ENDPOINT, self._endpoint)).one_or_none()
        if row is None:
            return None
        place = place_of(self._run.org_id, self._run.environment, self._run.key)
        services = self._run.services
        signers = SealedSigners.of(row, place, services.clock.now()).open(services.cipher)
        is_prompt = row.outcome == "delivered" and row.duration_ms <= prompt_ms
        return Endpoint(row.url, signers, is_prompt, failing=row.failing_since is not None)

    async def begin(self, places: int, in_flight: Collection[str]) -> list[Attempt]:
        """Up to `places` attempts at what is due, but for the deliveries `in_flight`."""
        rows = await self._session.execute(
            _BEGIN,
            {
                **self._endpoint,
                "now": self._run.services.clock.now(),
                "most_failures": MAX_FAILURES - 1,
                "places": places,
                "in_flight": list(in_flight),
            },
        )
        return [self._attempt(row) for row in rows]

    async def settle(self, ended: Sequence[Ended], *, failing: bool) -> DisabledReason | None:
        """Keep what came of attempts; why the endpoint is disabled now, if it is.

        `failing` is what `endpoint` said of it last: nobody but this lane makes it fail.
        """
        # The endpoint before its deliveries, as the operations lock them.
        endpoint = None
        if failing or any(one.failed for one in ended):
            endpoint = (await self._session.execute(_LOCK_ENDPOINT, self._endpoint)).one_or_none()
        exhausted = await self._settle_deliveries(ended)
        # What failed at an address that was changed meanwhile says nothing of the new one.
        here = [one for one in ended if endpoint is not None and one.url == endpoint.url]
        if endpoint is None or not here:
            return None
        outcomes = [(one.outcome.ended_at, not one.failed) for one in here]
        since = failing_since(endpoint.failing_since, endpoint.last_failed_at, outcomes)
        reason = self._reason_to_disable(endpoint.disable_policy, here, exhausted, since)
        if reason is not None:
            await self._disable(endpoint.url, reason, since)
        elif since != endpoint.failing_since:
            await self._session.execute(_FAILING, {**self._endpoint, "since": since})
        return reason

    async def _settle_deliveries(self, ended: Sequence[Ended]) -> frozenset[str]:
        """The ids of the deliveries that failed for good."""
        rows = await self._session.execute(
            _SETTLE,
            {
                **self._endpoint,
                "max_failures": MAX_FAILURES,
                "ids": [one.attempt.message.delivery_id for one in ended],
                "settled": json.dumps([_row(one) for one in ended]).decode(),
            },
        )
        return frozenset(row.id for row in rows if row.status == "failed")

    def _reason_to_disable(
        self, policy: str, ended: Sequence[Ended], exhausted: Collection[str], since: datetime | None
    ) -> DisabledReason | None:
        if any(one.outcome.error == GONE for one in ended):
            return "gone"
        if policy == "attempts":
            is_exhausted = any(one.attempt.message.delivery_id in exhausted for one in ended)
            return "attempts_exhausted" if is_exhausted else None
        is_too_long = since is not None and self._run.services.clock.now() - since >= PATIENCE
        return "continuous_failure" if is_too_long else None

    async def _disable(self, url: str, reason: DisabledReason, since: datetime | None) -> None:
        now = self._run.services.clock.now()
        await self._session.execute(_DISABLE, {**self._endpoint, "now": now, "reason": reason, "since": since})
        await unsubscribe(
            self._session,
            org_id=self._run.org_id,
            environment=self._run.environment.value,
            kind=KIND,
            subscriber_id=self._run.key,
        )
        await notify_disabled(
            self._session,
            org_id=self._run.org_id,
            environment=self._run.environment,
            webhook_id=self._run.key,
            url=url,
            reason=reason,
            now=now,
        )

    def _attempt(self, row: Any) -> Attempt:
        versions = self._run.services.catalogue.versions
        data = versions.event_data(row.payload_version, row.event, json.loads_trusted(row.data))
        body = render_body(row.event, row.occurred_at, self._run.key, data)
        return Attempt(Message(row.id, row.event, body), row.number, row.failures, row.traceparent)


def _row(ended: Ended) -> dict[str, Any]:
    attempt, outcome = ended.attempt, ended.outcome
    return {
        **(outcome.exchange.columns() if outcome.exchange else {}),
        "delivery_id": attempt.message.delivery_id,
        "number": attempt.number,
        "outcome": "failed" if outcome.error else "delivered",
        "duration_ms": outcome.duration_ms,
        "response_status": outcome.response_status,
        "error": outcome.error,
        "ended_at": outcome.ended_at.isoformat(),
        "next_attempt_at": _next_attempt_at(attempt, outcome).isoformat(),
    }


def _next_attempt_at(attempt: Attempt, outcome: Outcome) -> datetime:
    return outcome.ended_at + delay_after(attempt.failures + 1, outcome.retry_after)
