"""What the delivering side writes down, in batches, in transactions of its lane."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from bivelio_server.durable import LaneRun
from bivelio_server.events.recording import unsubscribe
from bivelio_server.kit import json
from bivelio_server.webhooks.messages import Message, render_body
from bivelio_server.webhooks.queueing import KIND
from bivelio_server.webhooks.schedule import MAX_FAILURES, delay_after
from bivelio_server.webhooks.schemas import DisabledReason
from bivelio_server.webhooks.secrets import SealedSecrets, SigningSecrets, place_of
from bivelio_server.webhooks.sending import GONE, Outcome

_ENDPOINT: Final = text("""
    select e.url, e.signing_secret, e.standard_secret, last.outcome, last.duration_ms
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
        select d.id, d.attempts, d.failures, d.event_id
          from generate_series(:most_failures, 0, -1) as tried (failures)
         cross join lateral (
            select w.id, w.attempts, w.failures, w.event_id from webhook_deliveries w
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
    select due.id, due.attempts + 1 as number, due.failures, e.event, e.occurred_at, e.data::text as data
      from due join events e on e.id = due.event_id
     where e.org_id = :org_id and e.environment = :environment and e.id = any (array(select event_id from due))
""").bindparams(bindparam("in_flight", type_=ARRAY(Text)))

# Rows are locked in the order of their ids, as `queries.py` does. One that is parked meanwhile stays so.
_SETTLE: Final = text("""
    with settled as materialized (
        select * from jsonb_to_recordset(cast(:settled as jsonb)) as s (
            delivery_id text, number int, outcome text, duration_ms int, response_status int, error text,
            ended_at timestamptz, next_attempt_at timestamptz)
    ), attempts as (
        update webhook_attempts a set outcome = s.outcome, duration_ms = s.duration_ms,
               response_status = s.response_status, error = s.error
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
    returning d.status
""").bindparams(bindparam("ids", type_=ARRAY(Text)))

_LOCK_ENDPOINT: Final = text("""
    select url from webhook_endpoints
     where org_id = :org_id and environment = :environment and id = :webhook_id
       and status = 'active' and deleted_at is null
       for no key update
""")
_DISABLE: Final = text("""
    with disabled as (
        update webhook_endpoints set status = 'disabled', disabled_at = :now, disabled_reason = :reason,
               updated_at = :now, version = version + 1
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
    """Where an active endpoint's messages go. `trusted`: its last attempt was delivered, and soon."""

    url: str
    secrets: SigningSecrets
    trusted: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was written down as begun. `failures`: how many attempts at the message failed before."""

    message: Message
    number: int
    failures: int


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt at `url` and what came of it."""

    attempt: Attempt
    url: str
    outcome: Outcome

    @property
    def is_last(self) -> bool:
        """Whether the endpoint is given up after this."""
        return self.outcome.error is not None and (
            self.outcome.error == GONE or self.attempt.failures + 1 >= MAX_FAILURES
        )


class Ledger:
    """One transaction of one endpoint's lane."""

    def __init__(self, run: LaneRun, session: AsyncSession) -> None:
        self._run = run
        self._session = session
        self._endpoint = {"org_id": run.org_id, "environment": run.environment.value, "webhook_id": run.key}

    async def endpoint(self, *, prompt_ms: int) -> Endpoint | None:
        """The endpoint if it is active; trusted when the last answer was good and took at most `prompt_ms`."""
        row = (await self._session.execute(_ENDPOINT, self._endpoint)).one_or_none()
        if row is None:
            return None
        place = place_of(self._run.org_id, self._run.environment, self._run.key)
        secrets = SealedSecrets(row.signing_secret, row.standard_secret, place).open(self._run.services.cipher)
        return Endpoint(row.url, secrets, row.outcome == "delivered" and row.duration_ms <= prompt_ms)

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

    async def settle(self, ended: Sequence[Ended]) -> DisabledReason | None:
        """Keep what came of attempts; why the endpoint is disabled now, if it is."""
        # The endpoint before its deliveries, as the operations lock them.
        urls = {one.url for one in ended if one.is_last}
        may_disable = bool(urls) and await self._session.scalar(_LOCK_ENDPOINT, self._endpoint) in urls
        statuses = await self._session.scalars(
            _SETTLE,
            {
                **self._endpoint,
                "max_failures": MAX_FAILURES,
                "ids": [one.attempt.message.delivery_id for one in ended],
                "settled": json.dumps([_row(one) for one in ended]).decode(),
            },
        )
        exhausted = "failed" in statuses.all()
        if not may_disable or not (exhausted or any(one.outcome.error == GONE for one in ended)):
            return None
        reason: DisabledReason = "attempts_exhausted" if exhausted else "gone"
        await self._disable(reason)
        return reason

    async def _disable(self, reason: DisabledReason) -> None:
        now = self._run.services.clock.now()
        await self._session.execute(_DISABLE, {**self._endpoint, "now": now, "reason": reason})
        await unsubscribe(
            self._session,
            org_id=self._run.org_id,
            environment=self._run.environment.value,
            kind=KIND,
            subscriber_id=self._run.key,
        )

    def _attempt(self, row: Any) -> Attempt:
        body = render_body(row.event, row.occurred_at, self._run.key, json.loads_trusted(row.data))
        return Attempt(Message(row.id, row.event, body), row.number, row.failures)


def _row(ended: Ended) -> dict[str, Any]:
    attempt, outcome = ended.attempt, ended.outcome
    return {
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
