"""A migration holds nobody up, and one that is killed goes on where it was."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from bivelio_server.installation import Installation
from bivelio_server.migrations import migrate, newest_version
from tests.migrations.conftest import MakeDatabase
from tests.migrations.past import ORG, fill

SERVER = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "bivelio_server", "migrate"]
KILLS = 20
#: The longest wait of a statement is that of the migration for its lock, and what the machine adds.
LONGEST_WAIT_SECONDS = 4.0
BEFORE_UPKEEP = "0006"
_INSERT = (
    "insert into contacts (org_id, environment, id, type, name, tags, custom_fields, own_search, company_search,"
    " version, created_at, updated_at)"
    f" values ('{ORG}', 'live', %s, 'person', 'x', '{{}}', '{{}}', 'x', '', 1, now(), now())"
)


@pytest.fixture
def old_database(make_database: MakeDatabase) -> str:
    url = make_database()
    for version in ("0002", "0003", "0005", BEFORE_UPKEEP):
        migrate(url, version)
        fill(url, version)
    return url


def test_a_migration_that_waits_lets_the_traffic_pass(old_database: str) -> None:
    with psycopg.connect(old_database) as holder:
        holder.execute("select count(*) from organizations")  # and stays in its transaction
        holder.execute("update contacts set name = name where id = 'ct_1'")
        migration = threading.Thread(target=migrate, args=(old_database,))
        migration.start()
        waits = _work_for(old_database, seconds=6)
        still_waiting = migration.is_alive()
    migration.join(60)

    assert still_waiting
    assert len(waits) > 20
    assert max(waits) < LONGEST_WAIT_SECONDS
    assert _version(old_database) == newest_version()


def _work_for(url: str, seconds: float) -> list[float]:
    """Read and write all the time; how long each transaction took."""
    waits = []
    end = time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < end:
            began = time.monotonic()
            connection.execute("select name, plan from organizations").fetchall()
            connection.execute(_INSERT, (f"ct_{uuid4().hex}",))
            waits.append(time.monotonic() - began)
            time.sleep(0.01)
    return waits


def test_a_migration_killed_anywhere_resumes(
    make_database: MakeDatabase, installation: Installation, old_database: str
) -> None:
    chance = random.Random(11)
    with psycopg.connect(old_database) as connection:
        name = connection.info.dbname
    url = ""
    for _ in range(KILLS):
        url = url or make_database(name)
        process = _migrating(installation, url)
        try:
            assert process.wait(chance.uniform(0.5, 2.5)) == 0
            url = ""
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    last = url or make_database(name)
    process = _migrating(installation, last)

    assert process.wait(60) == 0
    assert _version(last) == newest_version()
    assert _invalid_indexes(last) == 0


def _migrating(place: Installation, url: str) -> subprocess.Popen[bytes]:
    assert place.settings.secret_key is not None
    settings = {
        "BIVELIO_DATABASE_URL": url,
        "BIVELIO_SECRET_KEY": place.settings.secret_key.get_secret_value(),
        "PYTHONPATH": str(SERVER),
    }
    return subprocess.Popen(COMMAND, cwd=SERVER, env=os.environ | settings, stderr=subprocess.DEVNULL)


def _version(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("select version_num from alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def _invalid_indexes(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from pg_index where not indisvalid").fetchone()
    assert row is not None
    return int(row[0])
