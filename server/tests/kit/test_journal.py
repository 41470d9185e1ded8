"""The journal: nothing noted is lost while there is a database, nothing counted twice, nobody held up."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.kit import journal as journal_module
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Database
from bivelio_server.kit.journal import LOST, Journal, RequestRecord
from tests.world import Organization

pytestmark = pytest.mark.anyio


class Outage:
    """A database that can go away: before the work, or after it, with the answer lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.away = self.loses_answers = False

    async def call(self, sql: str, parameters: tuple[object, ...] = ()) -> object:
        if self.away:
            raise psycopg.OperationalError
        row = await self._database.call(sql, parameters)
        if self.loses_answers:
            raise psycopg.OperationalError
        return row


@pytest.fixture
def outage(services: Services) -> Outage:
    return Outage(services.database)


@pytest.fixture
def journal(outage: Outage) -> Journal:
    return Journal(outage)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


def record(organization: Organization, request_id: str = "req_1", **fields) -> RequestRecord:
    usual = {
        "environment": "live", "arrived_at": datetime.now(UTC).timestamp(), "operation": "contacts.list",
        "path": "/v1/contacts", "status": 200, "error_code": None, "duration_ms": 1.5, "actor": "key:key_1",
        "key_id": "key_1", "address": None, "door": "http", "idempotency_key_hash": None, "replayed": False,
        "api_version": None, "user_agent": None,
    }  # fmt: skip
    return RequestRecord(organization.id, request_id, **(usual | fields))


def written(owner: psycopg.Connection, organization: Organization) -> list[str]:
    rows = owner.execute("select request_id from request_log where org_id = %s order by id", (organization.id,))
    return [request_id for (request_id,) in rows]


def counted(owner: psycopg.Connection, organization: Organization) -> int:
    row = owner.execute("select coalesce(sum(requests), 0)::int from usage_daily where org_id = %s", (organization.id,))
    found = row.fetchone()
    assert found is not None
    count: int = found[0]
    return count


def lost(reason: str) -> float:
    return LOST.labels(reason)._value.get()


@asynccontextmanager
async def running(journal: Journal) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(journal.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def test_flushing_writes_what_was_noted(
    journal: Journal, acme: Organization, rival: Organization, owner: psycopg.Connection
) -> None:
    for organization in (acme, rival, acme):
        journal.note(record(organization))

    await journal.flush()

    assert (len(written(owner, acme)), len(written(owner, rival))) == (2, 1)
    assert (counted(owner, acme), counted(owner, rival)) == (2, 1)


async def test_two_that_flush_at_once_both_find_it_written(
    journal: Journal, acme: Organization, owner: psycopg.Connection
) -> None:
    for number in range(1201):
        journal.note(record(acme, f"req_{number:04}"))
    found = []

    async def reader() -> None:
        await journal.flush()
        found.append(len(written(owner, acme)))

    await asyncio.gather(*(reader() for _ in range(3)))

    assert found == [1201] * 3
    assert counted(owner, acme) == 1201


async def test_it_is_written_in_the_background(journal: Journal, acme: Organization, owner: psycopg.Connection) -> None:
    async with running(journal):
        journal.note(record(acme))
        async with asyncio.timeout(5):
            while not written(owner, acme):  # noqa: ASYNC110 - nothing tells of it but the database
                await asyncio.sleep(0.01)


async def test_what_is_left_is_written_at_the_stop(
    journal: Journal, acme: Organization, owner: psycopg.Connection
) -> None:
    async with running(journal):
        for number in range(700):
            journal.note(record(acme, f"req_{number:03}"))

    assert written(owner, acme) == [f"req_{number:03}" for number in range(700)]


async def test_it_waits_for_a_database_that_is_away(
    journal: Journal, outage: Outage, acme: Organization, owner: psycopg.Connection
) -> None:
    outage.away = True
    journal.note(record(acme, "req_first"))
    with pytest.raises(psycopg.OperationalError):
        await journal.flush()
    journal.note(record(acme, "req_second"))

    outage.away = False
    await journal.flush()

    assert written(owner, acme) == ["req_first", "req_second"]


async def test_a_batch_whose_answer_is_lost_counts_once(
    journal: Journal, outage: Outage, acme: Organization, owner: psycopg.Connection
) -> None:
    for number in range(3):
        journal.note(record(acme, f"req_{number}", status=429 if number else 500))
    outage.loses_answers = True
    with pytest.raises(psycopg.OperationalError):
        await journal.flush()

    outage.loses_answers = False
    await journal.flush()

    assert written(owner, acme) == ["req_0", "req_1", "req_2"]
    figures = owner.execute("select requests, errors, refused from usage_daily where org_id = %s", (acme.id,))
    assert figures.fetchall() == [(3, 1, 2)]


async def test_when_there_is_no_more_room_the_oldest_is_forgotten(
    journal: Journal, outage: Outage, acme: Organization, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "MOST_WAITING", 3)
    before = lost("overflow")
    outage.away = True
    for number in range(5):
        journal.note(record(acme, f"req_{number}"))
        with pytest.raises(psycopg.OperationalError):
            await journal.flush()

    outage.away = False
    await journal.flush()

    assert written(owner, acme) == ["req_2", "req_3", "req_4"]
    assert lost("overflow") - before == 2


async def test_one_that_cannot_be_written_does_not_hold_up_the_others(
    journal: Journal, acme: Organization, owner: psycopg.Connection
) -> None:
    before = lost("unwritable")
    for number in range(5):
        journal.note(record(acme, f"req_{number}", path="\0" if number == 2 else "/v1/contacts"))

    await journal.flush()

    assert written(owner, acme) == ["req_0", "req_1", "req_3", "req_4"]
    assert lost("unwritable") - before == 1


async def test_many_processes_count_together(
    services: Services, acme: Organization, rival: Organization, owner: psycopg.Connection
) -> None:
    processes = [Journal(services.database) for _ in range(6)]
    for number in range(300):
        for position, process in enumerate(processes):
            organization = (acme, rival)[(number + position) % 2]
            process.note(record(organization, operation=f"contacts.{'list' if number % 3 else 'get'}"))
        if number % 50 == 49:
            await asyncio.gather(*(process.flush() for process in processes))

    assert counted(owner, acme) + counted(owner, rival) == 1800
