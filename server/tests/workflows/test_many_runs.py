"""Cancelling and retrying many runs at once."""

from collections.abc import Iterator

import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.jobs.arranging import done, errors_of
from tests.workflows.arranging import (
    HELLO,
    Json,
    code_of,
    ended,
    instance,
    instances,
    later,
    reached,
    run,
    started,
    until,
    workflow,
)
from tests.workflows.steering import BROKEN, PAUSE, steer
from tests.world import Client, Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

EACH: Json = {"id": "each", "for_each": "{{ [1, 2] }}", "steps": [BROKEN], "concurrency": 1}
CANCEL, RETRY = "/v1/workflows/cancel_instances", "/v1/workflows/retry_instances"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


async def waiting_runs(client: Client, made: Json, number: int) -> list[Json]:
    runs = [await started(client, made) for _ in range(number)]
    return [await reached(client, each, "waiting") for each in runs]


async def failed_runs(client: Client, made: Json, number: int) -> list[Json]:
    runs = [await started(client, made, by=0) for _ in range(number)]
    return [await ended(client, each, "failed") for each in runs]


def ids(runs: list[Json]) -> list[str]:
    return [each["instance_id"] for each in runs]


async def test_all_of_a_workflow_that_go_on_are_cancelled(acme: Organization) -> None:
    made, other = await workflow(acme.live, PAUSE), await workflow(acme.live, PAUSE)
    await waiting_runs(acme.live, made, 5)
    [stays] = await waiting_runs(acme.live, other, 1)
    completed = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")

    job = await done(acme.live, CANCEL, {"filter": {"workflow_id": made["id"]}, "reason": "Cambio de planes"})

    assert job["counts"] == {"errors": 0, "total": 5, "runs": 5, "cancelled": 5, "failed": 0}
    found = await instances(acme.live, workflow_id=made["id"])
    assert {(each["status"], each["error"]["message"]) for each in found} == {("cancelled", "Cambio de planes")}
    assert (await instance(acme.live, stays))["status"] == "waiting"
    assert (await instance(acme.live, completed))["status"] == "completed"


async def test_an_empty_filter_means_all(acme: Organization, rival: Organization) -> None:
    await waiting_runs(acme.live, await workflow(acme.live, PAUSE), 3)
    [theirs] = await waiting_runs(rival.live, await workflow(rival.live, PAUSE), 1)

    job = await done(acme.live, CANCEL, {"filter": {}})

    assert job["counts"]["cancelled"] == 3
    assert (await instance(rival.live, theirs))["status"] == "waiting"


async def test_filters_narrow_by_status_and_time(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, PAUSE)
    [early] = await waiting_runs(acme.live, made, 1)
    later(services, clock, seconds=100)
    late = await waiting_runs(acme.live, made, 2)
    await steer(acme.live, "pause", late[0])

    first = await done(acme.live, CANCEL, {"filter": {"started_before": late[0]["started_at"]}})
    second = await done(acme.live, CANCEL, {"filter": {"status": "paused", "started_after": early["started_at"]}})

    assert (first["counts"]["cancelled"], second["counts"]["cancelled"]) == (1, 1)
    assert [(await instance(acme.live, each))["status"] for each in (early, *late)] == [
        "cancelled", "cancelled", "waiting",
    ]  # fmt: skip


async def test_of_given_ids_each_that_cannot_be_cancelled_is_told(acme: Organization) -> None:
    runs = await waiting_runs(acme.live, await workflow(acme.live, PAUSE), 2)
    completed = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")

    job = await done(acme.live, CANCEL, {"ids": ids([*runs, completed])})

    assert (job["counts"]["cancelled"], job["counts"]["failed"]) == (2, 1)
    assert errors_of(job) == [(None, completed["instance_id"], "CONFLICT")]


async def test_runs_that_wait_for_others_take_them_along(acme: Organization) -> None:
    inner = await workflow(acme.live, PAUSE)
    outer = await workflow(acme.live, {"id": "other", "run_workflow": {"workflow_id": inner["id"]}})
    await waiting_runs(acme.live, outer, 3)
    await until(lambda: _are(acme, 6, "waiting"))

    job = await done(acme.live, CANCEL, {"filter": {"workflow_id": outer["id"]}})

    assert job["counts"]["cancelled"] == 3
    assert await _are(acme, 6, "cancelled")


async def test_all_that_failed_are_retried_on_the_version_that_mends_it(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO, BROKEN)
    await acme.live.call(
        "/v1/workflows/update", {"id": made["id"], "steps": [{"id": "hello", "set": {"text": "x"}}, BROKEN]}
    )
    failed = await failed_runs(acme.live, made, 4)
    await acme.live.call(
        "/v1/workflows/update",
        {"id": made["id"], "steps": [{"id": "hello", "set": {"text": "x"}}, {"id": "broken", "set": {"value": 1}}]},
    )

    job = await done(
        acme.live, RETRY, {"filter": {"workflow_id": made["id"], "status": ["failed"]}, "version": "newest"}
    )

    assert (job["counts"]["retried"], job["counts"]["failed"]) == (4, 0)
    for each in failed:
        assert (await ended(acme.live, each))["output"] == {"value": 1}


async def test_each_run_that_cannot_be_retried_is_told(acme: Organization) -> None:
    made = await workflow(acme.live, BROKEN)
    failed = await failed_runs(acme.live, made, 2)
    await acme.live.call("/v1/workflows/update", {"id": made["id"], "steps": [HELLO], "concurrency": "one"})
    completed = await run(acme.live, await workflow(acme.live, HELLO), name="Ana")
    [waiting] = await waiting_runs(acme.live, await workflow(acme.live, PAUSE), 1)

    job = await done(acme.live, RETRY, {"ids": ids([*failed, completed, waiting])})

    codes = {field: code for _, field, code in errors_of(job)}
    assert job["counts"]["retried"] == 1
    assert codes == {
        failed[1]["instance_id"]: "WORKFLOW_ALREADY_RUNNING",
        completed["instance_id"]: "CONFLICT",
        waiting["instance_id"]: "CONFLICT",
    }
    assert (await ended(acme.live, failed[0], "failed"))["rounds"] == 1


async def test_each_run_goes_on_where_it_failed_and_its_retry_is_audited(acme: Organization) -> None:
    made = await workflow(acme.live, {"id": "first", "set": {"text": "x"}}, EACH)
    failed = await failed_runs(acme.live, made, 2)
    other = await ended(acme.live, await started(acme.live, await workflow(acme.live, BROKEN), by=0), "failed")

    job = await done(acme.live, RETRY, {"ids": ids([*failed, other])})

    assert job["counts"]["retried"] == 3
    for each in failed:
        found = await ended(acme.live, each, "failed")
        past = {step["path"]: step["superseded_in"] for step in found["past_steps"]}
        assert (found["rounds"], past) == (1, {"each[0].broken": 1})
    entries = (await acme.live.call("/v1/audit/list", {"resource_type": "workflow_instances"}))["entries"]
    changed = {entry["resource_id"]: entry["after"]["status"] for entry in entries}
    assert changed == dict.fromkeys(ids([*failed, other]), "running")


async def test_runs_that_take_turns_get_in_line_together(acme: Organization) -> None:
    made = await workflow(acme.live, BROKEN, concurrency="queue")
    failed = await failed_runs(acme.live, made, 3)

    job = await done(acme.live, RETRY, {"filter": {"workflow_id": made["id"]}})

    assert job["counts"]["retried"] == 3
    assert [(await ended(acme.live, each, "failed"))["rounds"] for each in failed] == [1, 1, 1]


async def test_a_run_whose_retry_is_refused_stays_as_it_was(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO, BROKEN)
    [failed] = [await ended(acme.live, await started(acme.live, made, name="Ana", by=0), "failed")]
    schema = {"type": "object", "required": ["age"]}
    await acme.live.call("/v1/workflows/update", {"id": made["id"], "steps": [HELLO], "input_schema": schema})

    job = await done(acme.live, RETRY, {"filter": {}, "version": "newest"})

    assert errors_of(job) == [(None, failed["instance_id"], "VALIDATION_ERROR")]
    assert {**await instance(acme.live, failed)} == failed


@pytest.mark.parametrize("path", [CANCEL, RETRY])
async def test_either_ids_or_a_filter(acme: Organization, path: str) -> None:
    for data in ({}, {"ids": ["wfi_x"], "filter": {}}):
        reply = await acme.live.post(path, data)
        assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "ids")

    reply = await acme.live.post(path, {"ids": ["wfi_none"]})
    assert code_of(reply) == (404, "RESOURCE_NOT_FOUND")


async def test_statuses_that_cannot_be_find_nothing(acme: Organization) -> None:
    await waiting_runs(acme.live, await workflow(acme.live, PAUSE), 1)

    job = await done(acme.live, CANCEL, {"filter": {"status": ["completed", "failed"]}})

    assert job["counts"] == {"errors": 0, "total": 0, "runs": 0, "cancelled": 0, "failed": 0}


async def test_a_thousand_waiting_runs_are_gone_soon(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, PAUSE)
    await waiting_runs(acme.live, made, 1)
    copy_run(owner, acme, 999)

    job = await done(acme.live, CANCEL, {"filter": {"workflow_id": made["id"]}})

    assert (job["counts"]["cancelled"], job["progress"]) == (1000, 1)
    [(states,)] = owner.execute(
        "select array_agg(distinct w.state) from workflow_instances i join absurd.t_work w using (task_id)"
        " where i.org_id = %s",
        (acme.id,),
    ).fetchall()
    assert states == ["cancelled"]


def copy_run(owner: psycopg.Connection, organization: Organization, times: int) -> None:
    """As many runs more, like the only one that the organisation has, each with its step and its sleeping task."""
    owner.execute(
        """
        with copies as (
            select i.*, n, gen_random_uuid() as task, gen_random_uuid() as run, w.task_name, w.params, w.headers
              from workflow_instances i join absurd.t_work w using (task_id), generate_series(1, %(times)s) n
             where i.org_id = %(org)s
        ), tasks as (
            insert into absurd.t_work (task_id, task_name, params, headers, enqueue_at, state, attempts,
                last_attempt_run)
            select task, task_name, jsonb_build_object('instance_id', id || n), headers, now(), 'sleeping', 1, run
              from copies
        ), attempts as (
            insert into absurd.r_work (run_id, task_id, attempt, state, available_at, org_id)
            select run, task, 1, 'sleeping', now() + interval '1 hour', org_id from copies
        ), runs as (
            insert into workflow_instances (org_id, environment, id, workflow_id, version, status, current_step,
                total_steps, input, depth, started_by, trigger_type, rounds, task_id, started_at, updated_at)
            select org_id, environment, id || n, workflow_id, version, status, current_step, total_steps, input, depth,
                   started_by, trigger_type, 0, task, started_at, updated_at from copies
        )
        insert into workflow_steps (org_id, environment, instance_id, path, step_id, position, uses, status, attempts,
            started_at)
        select c.org_id, c.environment, c.id || n, 'pause', 'pause', 1, 'wait', 'waiting', 1, now() from copies c
        """,
        {"times": times, "org": organization.id},
    )


async def _are(organization: Organization, number: int, status: str) -> bool:
    return len(await instances(organization.live, status=status)) == number
