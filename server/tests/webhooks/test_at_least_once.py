"""Messages to a receiver that refuses three attempts in ten: all of them arrive, each under one id.

`BIVELIO_WEBHOOK_MESSAGES` is their number.
"""

import os
import random
from datetime import datetime
from itertools import pairwise
from typing import Any, LiteralString

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.webhooks.delivery import LANE
from tests.webhooks.desk import Desk, Endpoint
from tests.webhooks.receiver import Received, receiving
from tests.webhooks.waiting import until
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio

MESSAGES = int(os.environ.get("BIVELIO_WEBHOOK_MESSAGES", "1000"))
REFUSED = 0.3


async def test_all_arrive_though_three_in_ten_attempts_fail(
    acme: Organization, desk: Desk, owner: psycopg.Connection, clock: MovableClock, services: Services
) -> None:
    dice = random.Random(15)
    taken: dict[str, bytes] = {}
    attempts: dict[str, list[Received]] = {}

    async def refuse_some(request: Received) -> int:
        attempts.setdefault(request.id, []).append(request)
        if dice.random() < REFUSED:
            return 503
        taken[request.id] = request.body
        return 200

    async with receiving(refuse_some) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, disable_policy="patient")
        _queue(owner, acme, endpoint, clock.now())
        async with working(services, lanes=[LANE]):
            await _all_settled(endpoint, clock)
            while _count(endpoint, "failed"):  # about one in four hundred fails five times
                data = {"webhook_id": endpoint.id, "since": "2026-01-01T00:00:00Z"}
                await acme.live.call("/v1/webhooks/recover", data)
                await _all_settled(endpoint, clock)

    assert len(taken) == _count(endpoint, "delivered") == MESSAGES
    for requests in attempts.values():
        assert len({request.body for request in requests}) == 1
        stamps = [int(request.headers["webhook-timestamp"]) for request in requests]
        assert all(later - earlier >= 29 for earlier, later in pairwise(stamps))


def _queue(owner: psycopg.Connection, organization: Organization, endpoint: Endpoint, now: datetime) -> None:
    """As many events as there are messages, as `record` writes them."""
    numbers = {"org": organization.id, "webhook": endpoint.id, "now": now, "count": MESSAGES}
    owner.execute(
        "insert into events (org_id, environment, id, event, occurred_at, data, depth)"
        " select %(org)s, 'live', %(webhook)s || '_evt_' || n, 'contact.created', %(now)s,"
        " jsonb_build_object('name', n::text), 0 from generate_series(1, %(count)s) as n",
        numbers,
    )
    owner.execute(
        "insert into webhook_deliveries (org_id, environment, id, webhook_id, event_id, event, kind, status,"
        " payload_version, attempts, failures, next_attempt_at, created_at)"
        " select %(org)s, 'live', %(webhook)s || '_del_' || n, %(webhook)s, %(webhook)s || '_evt_' || n,"
        " 'contact.created', 'event', 'pending', '2026-04-07', 0, 0, %(now)s, %(now)s"
        " from generate_series(1, %(count)s) as n",
        numbers,
    )


async def _all_settled(endpoint: Endpoint, clock: MovableClock) -> None:
    """What failed is due again as soon as nothing else is."""
    while _count(endpoint, "pending"):
        await until(lambda: not _has_due(endpoint, clock.now()), 300, pause=0.1)
        clock.advance(seconds=3700)


def _has_due(endpoint: Endpoint, now: datetime) -> bool:
    return _is_there(endpoint, now, "webhook_deliveries where next_attempt_at <= %(now)s") or _is_there(
        endpoint, now, "webhook_attempts where outcome is null"
    )


def _is_there(endpoint: Endpoint, now: datetime, rows: LiteralString) -> bool:
    return _one(endpoint, f"select exists (select from {rows} and webhook_id = %(webhook)s)", now=now) is True


def _count(endpoint: Endpoint, status: str) -> int:
    query = "select count(*) from webhook_deliveries where webhook_id = %(webhook)s and status = %(status)s"
    return int(_one(endpoint, query, status=status))


def _one(endpoint: Endpoint, query: LiteralString, **values: Any) -> Any:
    row = endpoint.owner.execute(query, {"webhook": endpoint.id, **values}).fetchone()
    assert row is not None
    return row[0]
