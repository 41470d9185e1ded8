"""Workflows that start on schedule."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.durable.tasks import TOPIC
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.sandbox.purge import purge_sandbox
from bivelio_server.workflows.triggers import queries as trigger_queries
from bivelio_server.workflows.triggers.keeping import mend_schedules
from tests.workflows.arranging import HELLO, Json, ended, instances, later, problems, until, workflow
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

STEP: Json = {"id": "at", "set": {"at": "{{ input.scheduled_at }}"}}
HOURLY = "0 * * * *"


def cron(expression: str = HOURLY, **fields: Any) -> Json:
    return {"trigger": {"type": "cron", "cron": expression, **fields}}


async def shown(client: Client, made: Json) -> Json:
    found: Json = await client.call("/v1/workflows/get", {"id": made["id"]})
    return found


def ticks_of(owner: psycopg.Connection, organization: Organization) -> list[UUID]:
    """The tasks that wait for their tick."""
    rows = owner.execute(
        "select task_id from absurd.t_work where task_name = 'workflows.tick' and headers ->> 'org_id' = %s"
        " and state in ('pending', 'sleeping')",
        (str(organization.id),),
    )
    return [task_id for (task_id,) in rows]


async def started_times(client: Client, count: int, **filters: Any) -> list[str]:
    """When the runs were scheduled, oldest first, once there are so many."""

    async def are_there() -> bool:
        return len(await instances(client, per_page=100, **filters)) >= count

    await until(are_there)
    found = await instances(client, per_page=100, **filters)
    return sorted(each["input"]["scheduled_at"] for each in found)


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def next_hour(clock: MovableClock) -> datetime:
    return clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def to(services: Services, clock: MovableClock, moment: datetime) -> None:
    later(services, clock, seconds=(moment - clock.now()).total_seconds() + 0.01)


@pytest.mark.usefixtures("worker")
async def test_each_tick_starts_a_run(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, STEP, **cron())
    first = next_hour(clock)
    assert (await shown(acme.live, made))["next_run_at"] == text(first)

    for number in range(3):
        to(services, clock, first + timedelta(hours=number))
        await started_times(acme.live, number + 1)

    found = await instances(acme.live)
    assert [each["input"] for each in found] == [
        {"scheduled_at": text(first + timedelta(hours=number)), "missed": 0} for number in (2, 1, 0)
    ]
    assert {each["trigger_type"] for each in found} == {"cron"}
    assert (await ended(acme.live, found[0]))["output"] == {"at": text(first + timedelta(hours=2))}
    assert (await shown(acme.live, made))["next_run_at"] == text(first + timedelta(hours=3))
    assert len(ticks_of(owner, acme)) == 1


@pytest.mark.usefixtures("worker")
async def test_of_missed_ticks_the_latest_is_made_up_for(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    made = await workflow(acme.live, STEP, **cron())
    first = next_hour(clock)

    to(services, clock, first + timedelta(hours=4, minutes=30))
    await started_times(acme.live, 1)

    [found] = await instances(acme.live)
    assert found["input"] == {"scheduled_at": text(first + timedelta(hours=4)), "missed": 4}
    assert (await shown(acme.live, made))["next_run_at"] == text(first + timedelta(hours=5))


@pytest.mark.usefixtures("worker")
async def test_missed_ticks_can_be_left_out(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, STEP, **cron(missed="skip"))
    first = next_hour(clock)

    to(services, clock, first + timedelta(hours=4, minutes=30))
    await until(lambda: is_next(acme, made, first + timedelta(hours=5)))
    assert await instances(acme.live) == []

    to(services, clock, first + timedelta(hours=5))
    assert await started_times(acme.live, 1) == [text(first + timedelta(hours=5))]


async def is_next(organization: Organization, made: Json, moment: datetime) -> bool:
    return bool((await shown(organization.live, made))["next_run_at"] == text(moment))


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (cron("every day"), [("trigger.cron", "cron")]),
        (cron("60 * * * *"), [("trigger.cron", "cron")]),
        (cron("* * * * * *"), [("trigger.cron", "cron")]),
        (cron("0 0 30 2 *"), [("trigger.cron", "cron")]),
        (cron(timezone="Madrid"), [("trigger.timezone", "timezone")]),
        (cron("0 0 31 2 *", timezone="Factory"), [("trigger.timezone", "timezone"), ("trigger.cron", "cron")]),
        (cron("0 0"), [("trigger.cron", "cron")]),
        (cron(missed="all"), [("trigger.missed", "one_of")]),
    ],
)
async def test_what_is_no_schedule_is_refused_when_it_is_saved(
    acme: Organization, trigger: Json, expected: list[tuple[str, str]]
) -> None:
    reply = await acme.live.post("/v1/workflows/create", {"name": "x", "steps": [HELLO], **trigger})

    assert problems(reply) == expected


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("60 * * * *", "minuto"),
        ("0 24 * * *", "hora"),
        ("0 0 30 2 *", "día del mes"),
        ("0 0 * * X", "día de la semana"),
    ],
)
async def test_the_wrong_field_of_a_schedule_is_named(acme: Organization, expression: str, wrong: str) -> None:
    reply = await acme.live.post("/v1/workflows/create", {"name": "x", "steps": [HELLO], **cron(expression)})

    assert f" {wrong} de 'trigger.cron' no es válido" in reply.json()["error"]["message"]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("verb", ["pause", "delete"])
async def test_a_workflow_that_is_not_active_is_not_started(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection, verb: str
) -> None:
    made = await workflow(acme.live, STEP, **cron())

    stopped = await acme.live.call(f"/v1/workflows/{verb}", {"id": made["id"]})
    to(services, clock, next_hour(clock) + timedelta(minutes=5))

    assert stopped["next_run_at"] is None
    assert ticks_of(owner, acme) == []
    assert await instances(acme.live) == []


@pytest.mark.usefixtures("worker")
async def test_an_activated_workflow_begins_with_the_next_tick(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, STEP, **cron(), status="draft")
    assert made["next_run_at"] is None
    clock.advance(hours=5)

    active = await acme.live.call("/v1/workflows/activate", {"id": made["id"]})
    await acme.live.call("/v1/workflows/pause", {"id": made["id"]})
    again = await acme.live.call("/v1/workflows/activate", {"id": made["id"]})

    assert active["next_run_at"] == again["next_run_at"] == text(next_hour(clock))
    assert len(ticks_of(owner, acme)) == 1
    to(services, clock, next_hour(clock))
    assert len(await started_times(acme.live, 1)) == 1


async def test_a_restored_workflow_stays_paused(acme: Organization, owner: psycopg.Connection) -> None:
    made = await workflow(acme.live, STEP, **cron())
    await acme.live.call("/v1/workflows/delete", {"id": made["id"]})

    restored = await acme.live.call("/v1/workflows/restore", {"id": made["id"]})

    assert restored["next_run_at"] is None
    assert ticks_of(owner, acme) == []


@pytest.mark.usefixtures("worker")
async def test_another_schedule_takes_the_place_of_the_first(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, STEP, **cron())

    changed = await acme.live.call("/v1/workflows/update", {"id": made["id"], **cron("30 * * * *")})

    half_past = next_hour(clock) - timedelta(minutes=30)
    expected = half_past if half_past > clock.now() else half_past + timedelta(hours=1)
    assert changed["next_run_at"] == text(expected)
    assert len(ticks_of(owner, acme)) == 1


async def test_a_version_that_keeps_the_schedule_keeps_its_overdue_tick(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    made = await workflow(acme.live, STEP, **cron())
    first = next_hour(clock)
    clock.advance(seconds=(first - clock.now()).total_seconds() + 20)

    await acme.live.call("/v1/workflows/update", {"id": made["id"], "steps": [{"id": "new", "set": {"a": 1}}]})

    async with working(services, HANDLERS):
        assert await started_times(acme.live, 1) == [text(first)]
    assert (await instances(acme.live))[0]["version"] == 2


@pytest.mark.usefixtures("worker")
async def test_schedules_go_by_the_time_zone_of_the_organization(acme: Organization, clock: MovableClock) -> None:
    made = await workflow(acme.live, STEP, **cron("0 9 * * *"))
    elsewhere = await workflow(acme.live, STEP, **cron("0 9 * * *", timezone="UTC"))
    assert hour_of(made["next_run_at"]) in (7, 8)

    await acme.live.call("/v1/organization/update", {"timezone": "Asia/Kolkata"})

    await until(lambda: is_hour(acme, made, 3))
    assert (await shown(acme.live, made))["next_run_at"].endswith("T03:30:00Z")
    assert (await shown(acme.live, elsewhere))["next_run_at"].endswith("T09:00:00Z")


def hour_of(moment: str) -> int:
    return datetime.fromisoformat(moment).astimezone(UTC).hour


async def is_hour(organization: Organization, made: Json, hour: int) -> bool:
    return hour_of((await shown(organization.live, made))["next_run_at"]) == hour


@pytest.mark.usefixtures("worker")
async def test_ticks_come_by_the_time_of_a_sandbox_that_was_moved(acme: Organization, clock: MovableClock) -> None:
    made = await workflow(acme.sandbox, STEP, **cron("*/10 * * * *"))

    await acme.sandbox.call("/v1/sandbox/advance_clock", {"seconds": 3600})

    await started_times(acme.sandbox, 1)
    [found] = await instances(acme.sandbox)
    assert found["input"]["missed"] in (4, 5)
    assert (await shown(acme.sandbox, made))["next_run_at"] > text(clock.now() + timedelta(hours=1))


@pytest.mark.usefixtures("worker")
async def test_a_tick_that_finds_one_running_leaves_a_trace(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    await workflow(acme.live, {"id": "pause", "wait": {"seconds": 86_400}}, concurrency="one", **cron())
    first = next_hour(clock)

    for number in range(2):
        to(services, clock, first + timedelta(hours=number))
        await started_times(acme.live, number + 1)

    late, early = await instances(acme.live)
    assert (late["status"], late["error"]["code"]) == ("cancelled", "WORKFLOW_ALREADY_RUNNING")
    assert late["input"]["scheduled_at"] > early["input"]["scheduled_at"]


async def test_two_workers_make_each_tick_once(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    workflows = [await workflow(acme.live, STEP, **cron("* * * * *")) for _ in range(4)]

    async with working(services, HANDLERS), working(services, HANDLERS), working(services, HANDLERS):
        for number in range(1, 6):
            later(services, clock, minutes=1)
            await started_times(acme.live, 4 * number)

    rows = owner.execute(
        "select workflow_id, count(*), count(distinct trigger_key) from workflow_instances where org_id = %s"
        " group by 1",
        (acme.id,),
    ).fetchall()
    assert sorted(rows) == sorted((made["id"], 5, 5) for made in workflows)
    assert len(ticks_of(owner, acme)) == 4


async def test_changes_while_ticks_are_made_leave_one_chain_and_no_tick_twice(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, STEP, **cron("* * * * *"))

    async def change(number: int) -> None:
        if number % 3 == 0:
            await acme.live.call("/v1/workflows/pause", {"id": made["id"]})
            await acme.live.call("/v1/workflows/activate", {"id": made["id"]})
        await acme.live.call("/v1/workflows/update", {"id": made["id"], **cron(f"*/{1 + number % 2} * * * *")})

    async with working(services, HANDLERS), working(services, HANDLERS):
        for number in range(12):
            clock.advance(minutes=2)
            services.wakeups.wake(TOPIC)
            await asyncio.gather(change(number), asyncio.sleep(0.001 * number))
            services.wakeups.wake(TOPIC)

    assert len(ticks_of(owner, acme)) == 1
    rows = owner.execute(
        "select count(*), count(distinct trigger_key), count(*) filter (where status = 'failed')"
        " from workflow_instances where org_id = %s",
        (acme.id,),
    ).fetchall()
    [(runs, keys, failed)] = rows
    assert (runs, failed) == (keys, 0)
    assert runs >= 3


async def test_a_tick_that_is_broken_off_is_made_anew(
    acme: Organization, services: Services, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workflow(acme.live, STEP, **cron())
    first = next_hour(clock)
    calls = iter([True, True, False])

    async def broken(*args: Any) -> None:
        if next(calls, False):
            raise ConnectionError
        await keep(*args)

    keep = trigger_queries.keep_schedule
    monkeypatch.setattr(trigger_queries, "keep_schedule", broken)

    async with working(services, HANDLERS):
        to(services, clock, first)
        assert await started_times(acme.live, 1) == [text(first)]


@pytest.mark.usefixtures("worker")
async def test_a_chain_that_broke_is_mended_and_makes_up_for_what_was_missed(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, STEP, **cron())
    gone = await workflow(acme.live, STEP, **cron())
    first = next_hour(clock)
    owner.execute("select absurd.cancel_task('work', task_id) from workflow_schedules where org_id = %s", (acme.id,))
    owner.execute("delete from workflow_schedules where org_id = %s and workflow_id = %s", (acme.id, gone["id"]))
    clock.advance(hours=3)

    await mend_schedules(services)
    await mend_schedules(services)

    assert await started_times(acme.live, 1, workflow_id=made["id"]) >= [text(first + timedelta(hours=1))]
    assert (await shown(acme.live, gone))["next_run_at"] == text(next_hour(clock))
    assert len(ticks_of(owner, acme)) == 2


async def test_one_that_cannot_be_mended_keeps_no_other_from_it(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    """Whatever is wrong with it."""
    made = [await workflow(acme.live, STEP, **cron()) for _ in range(3)]
    owner.execute("select absurd.cancel_task('work', task_id) from workflow_schedules where org_id = %s", (acme.id,))
    owner.execute("update workflow_versions set definition = '{}' where workflow_id = %s", (made[1]["id"],))

    assert await mend_schedules(services) == 2

    assert len(ticks_of(owner, acme)) == 2


async def test_what_is_purged_from_a_sandbox_ticks_no_more(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    await workflow(acme.sandbox, STEP, **cron())
    tomorrow = MovableClock()
    tomorrow.advance(seconds=(services.clock.now() - tomorrow.now()).total_seconds() + 90_000)

    await purge_sandbox(services.database, tomorrow, acme.id)

    assert ticks_of(owner, acme) == []
    assert owner.execute("select from workflow_schedules where org_id = %s", (acme.id,)).fetchall() == []


async def test_a_task_that_its_schedule_does_not_name_starts_nothing(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, STEP, **cron())
    [task_id] = ticks_of(owner, acme)
    owner.execute("update workflow_schedules set task_id = gen_random_uuid() where org_id = %s", (acme.id,))

    async with working(services, HANDLERS):
        to(services, clock, next_hour(clock))
        await until(lambda: is_over(owner, task_id))

    assert await instances(acme.live, workflow_id=made["id"]) == []


async def is_over(owner: psycopg.Connection, task_id: UUID) -> bool:
    [(state,)] = owner.execute("select state from absurd.t_work where task_id = %s", (task_id,)).fetchall()
    return bool(state == "completed")
