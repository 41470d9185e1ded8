"""Our functions against Absurd's: the same rows, and walls around them."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from bivelio_server.installation import Installation
from tests.durable.workshop import Workshop

pytestmark = pytest.mark.anyio

START = datetime(2030, 1, 1, tzinfo=UTC)
ORG = UUID("00000000-0000-0000-0000-00000000000a")
HEADERS = {"org_id": str(ORG), "environment": "live"}


class Script:
    """One life of a task, told with our functions or with Absurd's, at times that the script sets."""

    def __init__(self, connection: psycopg.Connection, ours: bool) -> None:
        self.connection, self.ours, self.now = connection, ours, START
        self.run: UUID | None = None
        self.task: UUID | None = None

    def at(self, seconds: float) -> None:
        self.now = START + timedelta(seconds=seconds)
        self._call("select set_config('absurd.fake_now', %s, false)", self.now.isoformat())

    def spawn(self, key: str | None = None) -> None:
        self._call("select set_config('app.org_id', %s, false), set_config('app.environment', 'live', false)", ORG.hex)
        if self.ours:
            self._call("select durable.spawn('t', '{\"id\": \"x\"}', %s)", key)
        else:
            options = {"headers": HEADERS} | ({"idempotency_key": f"{ORG}/live/{key}"} if key else {})
            self._call("select absurd.spawn_task('work', 't', '{\"id\": \"x\"}', %s::jsonb)", json.dumps(options))

    def claim(self, lease: int = 30) -> None:
        """Absurd's claim gives nothing when it swept: the second call is ours within one."""
        query = "select run_id, task_id from {} where run_id is not null"
        for _ in range(1 if self.ours else 2):
            function = "durable.claim('w', %s, 1)" if self.ours else "absurd.claim_task('work', 'w', %s, 1)"
            rows = self.connection.execute(query.format(function), (lease,)).fetchall()
            if rows:
                self.run, self.task = rows[0]
                return

    def extend(self) -> None:
        if self.ours:
            self._call("select durable.extend(%s, '{w}', 60)", [self.run])
        else:
            self._call("select absurd.extend_claim('work', %s, 60)", self.run)

    def enter(self) -> None:
        if self.ours:
            self._call("select durable.enter(%s, 'w', 60)", self.run)
        else:
            self._call("select absurd.extend_claim('work', %s, 60)", self.run)

    def finish(self) -> None:
        ours = "select durable.finish(%s, 'w')"
        self._call(ours if self.ours else "select absurd.complete_run('work', %s)", self.run)

    def sleep(self, seconds: float) -> None:
        ours = "select durable.sleep_until(%s, 'w', %s)"
        when = self.now + timedelta(seconds=seconds)
        self._call(ours if self.ours else "select absurd.schedule_run('work', %s, %s)", self.run, when)

    def put_back(self) -> None:
        if self.ours:
            self._call("select durable.put_back(%s, 'w', 5)", self.run)
        else:
            self.sleep(5)

    def retry(self, delay: float) -> None:
        if self.ours:
            self._call("""select durable.retry(%s, 'w', '{"name": "E"}', %s)""", self.run, delay)
        else:
            when = self.now + timedelta(seconds=delay)
            self._call("""select absurd.fail_run('work', %s, '{"name": "E"}', %s)""", self.run, when)

    def cancel(self) -> None:
        ours = "select durable.cancel(%s)"
        self._call(ours if self.ours else "select absurd.cancel_task('work', %s)", self.task)

    def wake(self) -> None:
        if self.ours:
            self._call("select durable.wake(%s)", self.task)
        else:
            # What Absurd's only way to wake a sleeper, an event, leaves of a run; the event itself is not ours.
            self._call("insert into absurd.w_work values (%s, %s, 's', 'e')", self.task, self.run)
            self._call("select absurd.emit_event('work', 'e')")
            self._call("delete from absurd.e_work")
            self._call("delete from absurd.c_work")
            self._call("update absurd.r_work set event_payload = null where run_id = %s", self.run)

    def cleanup(self) -> None:
        ours = "select durable.cleanup('1 day')"
        self._call(ours if self.ours else "select absurd.cleanup_tasks('work', 86400)")

    def rows(self) -> list[object]:
        """All that is stored, with ids replaced by the order in which they came."""
        names: dict[str, str] = {}
        tables = ("t_work", "r_work", "c_work", "w_work", "e_work")
        stored = [
            self.connection.execute(f"select to_jsonb(x) from absurd.{table} x order by 1").fetchall()
            for table in tables
        ]
        stored[0].sort(key=lambda row: row[0]["task_id"])
        stored[1].sort(key=lambda row: row[0]["run_id"])
        for row in [*stored[0], *stored[1]]:
            for name in ("task_id", "run_id"):
                if name in row[0]:
                    names.setdefault(row[0][name], f"{name} {len(names)}")
        text = json.dumps(stored, sort_keys=True)
        for identity, name in names.items():
            text = text.replace(identity, name)
        return json.loads(text)

    def _call(self, query: str, *parameters: object) -> None:
        self.connection.execute(query, parameters)


def completed(script: Script) -> None:
    script.spawn("k")
    script.spawn("k")
    script.at(1)
    script.claim()
    script.at(20)
    script.enter()
    script.at(21)
    script.finish()


def slept(script: Script) -> None:
    script.spawn()
    script.claim()
    script.at(3)
    script.sleep(100)
    script.at(102)
    script.claim()
    script.at(103)
    script.claim()
    script.extend()
    script.put_back()


def retried(script: Script) -> None:
    script.spawn()
    script.claim()
    script.at(2)
    script.retry(7)
    script.at(9)
    script.claim()
    script.retry(0)
    script.at(10)
    script.claim()
    script.finish()


def taken_over(script: Script) -> None:
    script.spawn()
    script.spawn()
    script.claim(30)
    script.at(10)
    script.claim(30)
    script.at(35)
    script.claim(30)
    script.at(36)
    script.finish()


def cancelled(script: Script) -> None:
    script.spawn()
    script.claim()
    script.at(4)
    script.cancel()
    script.cancel()


def woken(script: Script) -> None:
    script.spawn()
    script.claim()
    script.sleep(1000)
    script.at(5)
    script.wake()
    script.at(6)
    script.claim()


def cleaned_up(script: Script) -> None:
    completed(script)
    script.at(80000)
    script.spawn()
    script.claim()
    script.cancel()
    script.at(90000)
    script.cleanup()


@pytest.mark.parametrize("story", [completed, slept, retried, taken_over, cancelled, woken, cleaned_up])
async def test_our_functions_leave_the_rows_that_absurds_leave(workshop: Workshop, story: object) -> None:
    told: list[object] = []
    for ours in (True, False):
        with workshop.owner.transaction(force_rollback=True):
            script = Script(workshop.owner, ours)
            script.at(0)
            story(script)
            told.append(script.rows())

    assert told[0] == told[1]
    assert told[0][0]


async def test_the_serving_role_cannot_see_the_engine(place: Installation, workshop: Workshop) -> None:
    with psycopg.connect(place.serving_url, autocommit=True) as connection:
        for forbidden in (
            "select * from absurd.t_work",
            "select absurd.claim_task('work', 'w')",
            "select * from durable.lanes",
            "select durable.refuse(gen_random_uuid())",
            "create table durable.mine ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)


async def test_nothing_is_spawned_without_a_tenant(place: Installation, workshop: Workshop) -> None:
    with (
        psycopg.connect(place.serving_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("select durable.spawn('greet', '{}')")

    assert workshop.rows("select * from absurd.t_work") == []


async def test_a_fence_for_no_run_is_refused(workshop: Workshop) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="not running"):
        workshop.rows("select durable.enter(%s, 'w', 30)", uuid4())


async def test_functions_of_the_schema_are_closed_to_everybody_else(workshop: Workshop) -> None:
    """PostgreSQL lets everybody execute a new function; each of ours must say otherwise."""
    open_functions = workshop.rows(
        "select p.proname from pg_proc p where p.pronamespace = 'durable'::regnamespace"
        " and (p.proacl is null or exists (select from aclexplode(p.proacl) where grantee = 0))"
    )
    assert open_functions == []
