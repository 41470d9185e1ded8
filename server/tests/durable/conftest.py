"""A database of its own, whose queue holds nobody else's work; workers with short leases here and in processes."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bivelio_server.app import compose_services, opened
from bivelio_server.installation import Installation, prepare, serving_url
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.embedded_postgres import EmbeddedPostgres, libpq_url
from tests.durable.workshop import LEASE_SECONDS, Workshop

SERVER = Path(__file__).parents[2]
BENCH = """
    create schema bench;
    create table bench.effects (
        org_id uuid default nullif(current_setting('app.org_id', true), '')::uuid,
        environment text default current_setting('app.environment', true),
        task text not null, step int not null, worker text not null, at timestamptz not null default clock_timestamp());
    alter table bench.effects enable row level security;
    create policy tenant on bench.effects using (org_id = nullif(current_setting('app.org_id', true), '')::uuid
        and environment = current_setting('app.environment', true));
    create table bench.parcels (org_id uuid, environment text, key text, place int, primary key (org_id, key, place));
    create function bench.due(p_now timestamptz) returns table (org_id uuid, environment text, key text)
    language sql security definer set search_path = pg_catalog, pg_temp as
        'select distinct p.org_id, p.environment, p.key from bench.parcels p';
    grant usage on schema bench to bivelio_serving;
    grant select, insert on bench.effects to bivelio_serving;
    grant select, delete on bench.parcels to bivelio_serving;
"""


@pytest.fixture(scope="session")
def place(installation: Installation) -> Iterator[Installation]:
    database = f"durable_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with EmbeddedPostgres(Path(os.environ["BIVELIO_TEST_FOLDER"]) / "postgres", fsync=False) as address:
        with psycopg.connect(libpq_url(address.superuser_url()), autocommit=True) as connection:
            connection.execute(f'create database "{database}" owner bivelio_owner')
        owner_url = libpq_url(address.owner_url(database))
        settings = installation.settings.model_copy(update={"lease_seconds": LEASE_SECONDS, "worker_slots": 8})
        place = replace(
            installation,
            settings=settings,
            owner_url=owner_url,
            serving_url=serving_url(owner_url, installation.secret_key),
        )
        prepare(place)
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute(BENCH)
        yield place


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def break_connections(place: Installation) -> Iterator[Callable[[], None]]:
    """Ends every session of the serving role."""
    with (
        EmbeddedPostgres(Path(os.environ["BIVELIO_TEST_FOLDER"]) / "postgres", fsync=False) as address,
        psycopg.connect(libpq_url(address.superuser_url()), autocommit=True) as connection,
    ):
        role = urlsplit(place.serving_url).username
        yield lambda: connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (role,)
        )


@pytest.fixture
async def services(place: Installation) -> AsyncIterator[Services]:
    async with opened(compose_services(place, MovableClock())) as services:
        yield services


@pytest.fixture
async def workshop(place: Installation, services: Services) -> AsyncIterator[Workshop]:
    with psycopg.connect(place.owner_url, autocommit=True) as owner:
        owner.execute(
            "truncate absurd.t_work, absurd.r_work, absurd.c_work, absurd.w_work, absurd.e_work, durable.lanes,"
            " bench.effects, bench.parcels"
        )
        shop = Workshop(services, owner)
        async with shop.listening():
            yield shop


@pytest.fixture
def start_worker(place: Installation) -> Iterator["StartWorker"]:
    """Starts worker processes; what still lives at the end is killed."""
    start = StartWorker(place.serving_url)
    yield start
    start.kill_all()


class StartWorker:
    def __init__(self, url: str) -> None:
        self._environment = os.environ | {"BENCH_URL": url, "PYTHONPATH": str(SERVER)}
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.durable.worker_process"]
        process = subprocess.Popen(command, cwd=SERVER, env=self._environment)
        self.processes.append(process)
        return process

    def kill_all(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
