"""jobs.*: following long work, cancelling it, and what happens when it fails."""

import asyncio

import psycopg
import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.durable import MAX_LOST
from bivelio_server.jobs.kinds import Batch, JobKind, RowProblem
from bivelio_server.jobs.running import JobRunner
from bivelio_server.jobs.starting import TASK
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.text import Text
from tests.contacts.arranging import contact
from tests.jobs.arranging import Json, contacts, csv_file, done, ended, job, started
from tests.workflows.arranging import code_of, later, until, workflow
from tests.workflows.arranging import run as run_workflow
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio

ROWS = 5


class Kind:
    """Stands in for the batches of contacts.export: one row a batch, and what a test puts in its way."""

    def __init__(self, *, fail_at: int | None = None, failures: int = 0, pause_at: int | None = None) -> None:
        self.fail_at = fail_at
        self.failures = failures
        self.pause_at = pause_at
        self.paused = asyncio.Event()
        self.go_on = asyncio.Event()
        self.actors: list[str] = []

    async def run_batch(self, batch: Batch) -> None:
        number = batch.cursor.get("at", 0)
        if number == self.fail_at and self.failures > 0:
            self.failures -= 1
            raise RuntimeError("a bug of ours")
        self.actors.append(batch.context.caller.actor)
        batch.count("rows")
        batch.refuse(RowProblem(number + 1, "name", "required", Text("Falta.", "Missing.")))
        batch.cursor["at"] = number + 1
        batch.progress = (number + 1) / ROWS
        if number + 1 == ROWS:
            batch.finish({"rows": ROWS})
        if number == self.pause_at:
            self.paused.set()
            await self.go_on.wait()

    @property
    def handlers(self) -> dict[str, JobRunner]:
        return {TASK: JobRunner([JobKind("contacts.export", self.run_batch)])}


async def queued(acme: Organization) -> str:
    return await started(acme.live, "/v1/contacts/export", {})


async def test_a_job_is_queued_until_a_worker_takes_it(acme: Organization) -> None:
    job_id = await queued(acme)

    found = await job(acme.live, job_id)

    assert found == {
        "id": job_id, "operation": "contacts.export", "status": "queued", "progress": 0,
        "counts": {"total": 0, "rows": 0, "errors": 0}, "errors": [], "result": None,
        "created_at": found["created_at"], "started_at": None, "finished_at": None,
    }  # fmt: skip
    assert job_id.startswith("job_")


async def test_a_job_goes_batch_by_batch_to_its_end(acme: Organization, services: Services) -> None:
    job_id, kind = await queued(acme), Kind()

    async with working(services, kind.handlers):
        found = await ended(acme.live, job_id)

    assert (found["status"], found["progress"], found["counts"]["rows"]) == ("completed", 1, ROWS)
    assert found["result"] == {"rows": ROWS}
    assert found["errors"][0] == {"row": 1, "field": "name", "code": "required", "message": "Falta."}
    assert len(found["errors"]) == ROWS
    assert all(actor.startswith("key:") for actor in kind.actors)


async def test_progress_can_be_watched(acme: Organization, services: Services) -> None:
    job_id, kind = await queued(acme), Kind(pause_at=2)

    async with working(services, kind.handlers):
        await kind.paused.wait()
        found = await job(acme.live, job_id)
        kind.go_on.set()

    assert (found["status"], found["progress"], found["counts"]["rows"]) == ("running", 0.4, 2)
    assert found["started_at"] is not None


async def test_cancelling_keeps_what_was_done(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    """The batch that is under way is the last one."""

    async def waits() -> bool:
        query = "select from pg_locks where locktype = 'advisory' and not granted"
        return owner.execute(query).fetchone() is not None

    job_id, kind = await queued(acme), Kind(pause_at=2)

    async with working(services, kind.handlers):
        await kind.paused.wait()
        cancelling = asyncio.create_task(acme.live.call("/v1/jobs/cancel", {"id": job_id}))
        await until(waits)
        kind.go_on.set()
        cancelled = await cancelling

    assert (cancelled["status"], cancelled["counts"]["rows"]) == ("cancelled", 3)
    assert (await job(acme.live, job_id))["counts"]["rows"] == 3


async def test_a_queued_job_can_be_cancelled_and_its_input_is_gone(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    job_id = await started(acme.live, "/v1/contacts/import", csv_file("name,email", "Maria,m@e.com"))

    await acme.live.call("/v1/jobs/cancel", {"id": job_id})

    assert owner.execute("select count(*) from job_files where org_id = %s", (acme.id,)).fetchone() == (0,)
    async with working(services, HANDLERS):
        await done(acme.live, "/v1/contacts/export", {})
    assert await contacts(acme.live) == []
    assert (await acme.live.call("/v1/jobs/cancel", {"id": job_id}))["status"] == "cancelled"


async def test_what_has_ended_cannot_be_cancelled(acme: Organization, services: Services) -> None:
    async with working(services, HANDLERS):
        found = await done(acme.live, "/v1/contacts/export", {})

    assert code_of(await acme.live.post("/v1/jobs/cancel", {"id": found["id"]})) == (409, "CONFLICT")


async def test_a_bug_of_ours_is_tried_again(acme: Organization, services: Services, clock: MovableClock) -> None:
    job_id, kind = await queued(acme), Kind(fail_at=2, failures=2)

    async with working(services, kind.handlers):
        found = await _patiently_ended(acme, services, clock, job_id)

    assert (found["status"], found["counts"]["rows"]) == ("completed", ROWS)


async def test_but_not_for_ever(acme: Organization, services: Services, clock: MovableClock) -> None:
    job_id, kind = await queued(acme), Kind(fail_at=2, failures=100)

    async with working(services, kind.handlers):
        found = await _patiently_ended(acme, services, clock, job_id)

    assert (found["status"], found["counts"]["rows"], 100 - kind.failures) == ("failed", 2, 5)
    assert (found["errors"][0]["row"], found["errors"][0]["code"]) == (None, "INTERNAL_ERROR")
    assert "5 veces" in found["errors"][0]["message"]


async def test_a_job_that_kills_its_workers_fails(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    job_id, kind = await queued(acme), Kind()
    owner.execute("update absurd.r_work set lost = %s where org_id = %s", (MAX_LOST, acme.id))

    async with working(services, kind.handlers):
        found = await ended(acme.live, job_id)

    assert (found["status"], found["errors"][0]["code"]) == ("failed", "INTERNAL_ERROR")
    assert "interrumpió una y otra vez" in found["errors"][0]["message"]


async def test_a_job_that_gets_on_forgets_the_workers_that_it_lost(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    job_id, kind = await queued(acme), Kind(pause_at=2)
    owner.execute("update absurd.r_work set lost = %s where org_id = %s", (MAX_LOST - 1, acme.id))

    async with working(services, kind.handlers):
        await kind.paused.wait()
        lost = owner.execute("select lost from absurd.r_work where org_id = %s", (acme.id,)).fetchone()
        kind.go_on.set()
        found = await ended(acme.live, job_id)

    assert (found["status"], lost) == ("completed", (0,))


async def test_a_revoked_key_ends_its_jobs(acme: Organization, services: Services, owner: psycopg.Connection) -> None:
    client = acme.key("read")
    job_id, kind = await started(client, "/v1/contacts/export", {}), Kind(pause_at=1)

    async with working(services, kind.handlers):
        await kind.paused.wait()
        owner.execute("update api_keys set revoked_at = now() where org_id = %s and scopes = '{read}'", (acme.id,))
        kind.go_on.set()
        found = await ended(acme.live, job_id)

    assert (found["status"], found["counts"]["rows"]) == ("failed", 2)
    assert found["errors"][0]["code"] == "AUTH_INSUFFICIENT_SCOPE"
    assert found["counts"]["errors"] == len(found["errors"])


async def test_a_workflow_can_start_a_job(acme: Organization, services: Services) -> None:
    await contact(acme.live, "Maria")
    step = {"id": "tag", "uses": "contacts.bulk_tag", "with": {"filter": {"search": "maria"}, "add": ["vip"]}}
    async with working(services, HANDLERS):
        made = await workflow(acme.live, step)
        run = await run_workflow(acme.live, made)
        await ended(acme.live, run["output"]["job_id"])

    [maria] = await contacts(acme.live)
    assert maria["tags"] == ["vip"]
    history = await acme.live.call("/v1/contacts/history", {"id": maria["id"]})
    assert history["entries"][0]["actor"] == f"workflow:{made['id']}"
    assert history["entries"][0]["on_behalf_of"].startswith("key:")


async def test_lists_jobs_newest_first(acme: Organization) -> None:
    ids = [await queued(acme) for _ in range(3)]
    await acme.live.call("/v1/jobs/cancel", {"id": ids[0]})

    everything = await acme.live.call("/v1/jobs/list", {})
    cancelled = await acme.live.call("/v1/jobs/list", {"status": "cancelled", "operation": "contacts.export"})

    assert [found["id"] for found in everything["jobs"]] == ids[::-1]
    assert [found["id"] for found in cancelled["jobs"]] == ids[:1]
    assert (await acme.live.call("/v1/jobs/list", {"operation": "contacts.import"}))["jobs"] == []


async def test_a_waiting_import_with_an_erased_person_in_it_fails(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    """It would bring back what has been erased."""
    person = await contact(acme.live, "Maria", email="maria@ejemplo.com")
    waiting = await started(acme.live, "/v1/contacts/import", csv_file("name,email", "M,Maria@ejemplo.com"))
    other = await started(acme.live, "/v1/contacts/import", csv_file("name,email", "Juan,juan@ejemplo.com"))
    owner.execute(
        "update absurd.r_work r set state = 'sleeping', available_at = now() + interval '10 years'"
        " from jobs j where j.task_id = r.task_id and j.org_id = %s",
        (acme.id,),
    )

    async with working(services, HANDLERS):
        await done(acme.live, "/v1/contacts/erase", {"id": person["id"]})

    found = await job(acme.live, waiting)
    assert (found["status"], found["errors"][0]["code"]) == ("failed", "CONFLICT")
    assert (await job(acme.live, other))["status"] == "queued"


async def _patiently_ended(acme: Organization, services: Services, clock: MovableClock, job_id: str) -> Json:
    found: Json = {}

    async def has_ended() -> bool:
        nonlocal found
        found = await job(acme.live, job_id)
        later(services, clock, seconds=20)
        return found["finished_at"] is not None

    await until(has_ended, 90)
    return found
