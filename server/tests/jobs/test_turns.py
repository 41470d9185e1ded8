"""Jobs take turns: no organisation keeps the others waiting."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.jobs.kinds import Batch, JobKind
from bivelio_server.jobs.running import JobRunner
from bivelio_server.jobs.starting import TASK
from bivelio_server.kit.context import Services
from tests.jobs.arranging import ended, job, started
from tests.workflows.arranging import run, workflow
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio


class Endless:
    """Stands in for contacts.export: batch after batch until told to end; nobody else's jobs are kept up."""

    def __init__(self, org_id: UUID) -> None:
        self._org_id = org_id
        self.end = asyncio.Event()

    async def run_batch(self, batch: Batch) -> None:
        batch.count("rows")
        if self.end.is_set() or batch.context.caller.org_id != self._org_id:
            batch.finish()


class Crowd:
    """Stands in for contacts.export: every batch of the organisation waits until told to go on."""

    def __init__(self, org_id: UUID) -> None:
        self._org_id = org_id
        self.under_way = self.most = 0
        self.go_on = asyncio.Event()

    async def run_batch(self, batch: Batch) -> None:
        if batch.context.caller.org_id == self._org_id:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await self.go_on.wait()
            self.under_way -= 1
        batch.finish()


async def test_a_long_job_gives_its_slot_to_others_in_between(
    acme: Organization, rival: Organization, services: Services
) -> None:
    kind = Endless(acme.id)
    one_slot = replace(services, settings=services.settings.model_copy(update={"worker_slots": 1}))
    handlers = {**HANDLERS, TASK: JobRunner([JobKind("contacts.export", kind.run_batch)], turn_seconds=0.05)}
    made = await workflow(rival.live, {"id": "text", "set": {"text": "Hola"}})
    job_id = await started(acme.live, "/v1/contacts/export", {})

    async with working(one_slot, handlers):
        finished = await run(rival.live, made)
        meanwhile = await job(acme.live, job_id)
        kind.end.set()
        found = await ended(acme.live, job_id)

    assert finished["status"] == "completed"
    assert meanwhile["status"] in ("queued", "running")
    assert found["status"] == "completed"


async def test_two_jobs_of_an_organisation_run_at_once_and_others_of_it_wait(
    acme: Organization, rival: Organization, services: Services
) -> None:
    kind = Crowd(acme.id)
    handlers = {**HANDLERS, TASK: JobRunner([JobKind("contacts.export", kind.run_batch)])}
    jobs = [await started(acme.live, "/v1/contacts/export", {}) for _ in range(9)]

    async with working(services, handlers):
        other = await ended(rival.live, await started(rival.live, "/v1/contacts/export", {}))
        kind.go_on.set()
        found = [await ended(acme.live, job_id) for job_id in jobs]

    assert other["status"] == "completed"
    assert {ended_job["status"] for ended_job in found} == {"completed"}
    assert kind.most == 2
