"""/metrics: well-formed, cheap to keep, true."""

import asyncio
import re
import time
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest

from bivelio_server.installation import Installation
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Database
from bivelio_server.kit.errors import CreditsExhausted
from bivelio_server.kit.event_loop import watch_event_loop
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.usage.credits import Ledger
from tests.observability.scrape import declared, scraped
from tests.usage.arranging import give_credits
from tests.webhooks.receiver import always, receiving
from tests.webhooks.waiting import until
from tests.workflows import arranging as workflows
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

#: Each has few values, whatever callers do. None may be an id, an address, or anything else that a caller chooses.
LABELS = {
    "operation", "status", "code", "by", "task", "state", "outcome", "crew", "kind", "pool", "provider", "reason",
    "version", "api", "environment", "engine", "model",
}  # fmt: skip


async def test_every_metric_is_well_formed_and_described(http: httpx2.AsyncClient) -> None:
    scrape = await scraped(http)

    assert len(scrape.ours) > 20
    for family in scrape.ours:
        assert re.fullmatch(r"bivelio_[a-z]+(_[a-z]+)*", family.name)
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert family.type != "histogram" or family.name.endswith("_seconds"), family.name
        assert not family.name.endswith(("_ms", "_milliseconds", "_count")), family.name


def test_labels_have_few_values() -> None:
    used = {label for _, labels, _ in declared().values() for label in labels}

    assert used <= LABELS


async def test_requests_are_counted_by_operation_and_refusals_by_code(
    acme: Organization, http: httpx2.AsyncClient
) -> None:
    before = await scraped(http)
    await acme.live.call("/v1/contacts")
    await acme.live.post("/v1/contacts/get", {"id": "ct_missing"})
    await Client(http, {**acme.live.headers, "Idempotency-Key": "k"}).call("/v1/contacts/create", {"name": "Ana"})
    await Client(http, {**acme.live.headers, "Idempotency-Key": "k"}).call("/v1/contacts/create", {"name": "Ana"})
    after = await scraped(http)

    def risen(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert risen("bivelio_requests_total", operation="contacts.list", status="200") == 1
    assert risen("bivelio_requests_total", operation="contacts.get", status="404") == 1
    assert risen("bivelio_request_seconds_count", operation="contacts.list") == 1
    assert risen("bivelio_refusals_total", code="RESOURCE_NOT_FOUND") == 1
    assert risen("bivelio_idempotent_replays_total") == 1
    assert after.value("bivelio_requests_in_progress") == 1  # the one that asks


async def test_what_waits_in_the_queue_is_told_by_task_with_its_age(
    acme: Organization, http: httpx2.AsyncClient, clock: MovableClock
) -> None:
    before = (await scraped(http)).value("bivelio_queue_runs", task="workflows.run", state="due")
    made = await workflows.workflow(acme.live, workflows.HELLO)
    await workflows.started(acme.live, made, name="Ana")
    clock.advance(seconds=90)

    scrape = await scraped(http)

    assert scrape.value("bivelio_queue_runs", task="workflows.run", state="due") == before + 1
    assert scrape.value("bivelio_queue_oldest_due_seconds", task="workflows.run") >= 90


async def test_what_waits_for_delivery_is_told(
    acme: Organization, http: httpx2.AsyncClient, owner: psycopg.Connection, clock: MovableClock
) -> None:
    before = await scraped(http)
    await acme.live.call("/v1/webhooks/create", {"url": "http://127.0.0.1:1/", "events": ["contact.created"]})
    await acme.live.call("/v1/contacts/create", {"name": "Ana"})
    clock.advance(seconds=30)

    scrape = await scraped(http)

    due = "bivelio_webhook_deliveries"
    assert scrape.value(due, state="due") == before.value(due, state="due") + 1
    assert scrape.value("bivelio_webhook_oldest_due_seconds") >= 30
    active = "bivelio_webhook_endpoints"
    assert scrape.value(active, status="active") == before.value(active, status="active") + 1
    owner.execute("update webhook_endpoints set deleted_at = now() where org_id = %s", (acme.id,))


@pytest.mark.usefixtures("worker")
async def test_work_and_calls_to_the_outside_are_counted(acme: Organization, http: httpx2.AsyncClient) -> None:
    before = await scraped(http)
    async with receiving() as good, receiving(always(503)) as bad:
        for receiver in (good, bad):
            await acme.live.call("/v1/webhooks/create", {"url": receiver.url(), "events": ["contact.created"]})
        made = await workflows.workflow(acme.live, workflows.create_contact())
        await workflows.run(acme.live, made)
        await good.wait(1)
        await bad.wait(1)
        scrape = await scraped(http)
        while scrape.value("bivelio_outgoing_requests_total", provider="webhook", outcome="5xx") == before.value(
            "bivelio_outgoing_requests_total", provider="webhook", outcome="5xx"
        ):
            scrape = await scraped(http)

    for name, labels in (
        ("bivelio_outgoing_requests_total", {"provider": "webhook", "outcome": "2xx"}),
        ("bivelio_outgoing_requests_total", {"provider": "webhook", "outcome": "5xx"}),
        ("bivelio_webhook_attempts_total", {"outcome": "rejected"}),
        ("bivelio_workflow_instances_ended_total", {"status": "completed"}),
        ("bivelio_task_attempts_total", {"task": "workflows.run", "outcome": "finished"}),
        ("bivelio_task_attempt_seconds_count", {"task": "workflows.run"}),
    ):
        assert scrape.value(name, **labels) > before.value(name, **labels), name
    assert scrape.value("bivelio_worker_places", crew="work") > 0
    assert str(bad.port) not in scrape.text
    assert str(acme.id) not in scrape.text


async def test_credits_are_counted_by_what_became_of_them(
    acme: Organization, http: httpx2.AsyncClient, services: Services
) -> None:
    give_credits(acme, 10)
    before = await scraped(http)
    await spend(services, acme, 7)
    with pytest.raises(CreditsExhausted):
        await spend(services, acme, 4)
    after = await scraped(http)

    for outcome, amount in (("spent", 7), ("refused", 4)):
        labels = {"outcome": outcome, "environment": "live"}
        assert (
            after.value("bivelio_credits_total", **labels) == before.value("bivelio_credits_total", **labels) + amount
        )


async def spend(services: Services, organization: Organization, amount: int) -> None:
    caller = Caller(organization.id, Environment.live, "user:x", organization.id, frozenset())
    async with transaction(caller, services, Origin(Door.http)) as context:
        await Ledger().spend(context, "shop.buy", amount)


async def test_pools_tell_who_waits(installation: Installation) -> None:
    database = Database(installation.serving_url, pool_size=1)
    await database.open()
    caller = Caller(UUID(int=7), Environment.live, "user:x", UUID(int=7), frozenset())

    async def second() -> None:
        async with database.transaction(caller):
            pass

    async with database.transaction(caller):
        waiting = asyncio.create_task(second())
        await until(lambda: database.pools()[0].waiting == 1)
        crowded = database.pools()[0]
    await waiting
    quiet = database.pools()[0]
    await database.close()

    assert (crowded.name, crowded.size, crowded.in_use, crowded.idle) == ("transactions", 1, 1, 0)
    assert (quiet.in_use, quiet.idle, quiet.waiting) == (0, 1, 0)


async def test_with_the_database_away_the_process_still_tells_of_itself(
    http: httpx2.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise psycopg.OperationalError("gone")

    assert (await scraped(http)).value("bivelio_database_up") == 1
    monkeypatch.setattr(Database, "call_all", away)

    scrape = await scraped(http)

    assert scrape.value("bivelio_database_up") == 0
    assert scrape.value("bivelio_database_connections_max", pool="transactions") > 0


async def test_only_the_operator_reads_them(http: httpx2.AsyncClient) -> None:
    reply = await http.get("/metrics", headers={"X-Forwarded-For": "203.0.113.5"})

    assert reply.status_code == 401
    assert "bivelio_" not in reply.text


async def test_a_blocked_event_loop_shows(http: httpx2.AsyncClient) -> None:
    before = (await scraped(http)).value("bivelio_event_loop_lag_seconds_sum")
    watch = asyncio.create_task(watch_event_loop())
    await asyncio.sleep(0)
    time.sleep(0.5)  # noqa: ASYNC251 - this is what is watched for
    await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    watch.cancel()

    assert (await scraped(http)).value("bivelio_event_loop_lag_seconds_sum") >= before + 0.2
