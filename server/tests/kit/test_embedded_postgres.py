import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
import pytest

from bivelio_server.kit import embedded_postgres, postgres_process
from bivelio_server.kit.embedded_postgres import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    ServerAddress,
    libpq_url,
)

USER_PROCESS = """
import sys
from pathlib import Path
from bivelio_server.kit.embedded_postgres import EmbeddedPostgres

with EmbeddedPostgres(Path(sys.argv[1]), fsync=False):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """An initialised, stopped cluster that tests copy: only the tests of the initialisation wait for one."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "template"
        with EmbeddedPostgres(folder, fsync=False):
            pass
        yield folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "postgres"
    shutil.copytree(template, folder)
    yield folder
    _stop_leftover(folder)


@pytest.fixture
def new_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "postgres"
    yield folder
    _stop_leftover(folder)


def _stop_leftover(folder: Path) -> None:
    if (folder / "cluster" / "postmaster.pid").exists():
        with EmbeddedPostgres(folder, fsync=False):
            pass


@contextlib.contextmanager
def another_process(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", USER_PROCESS, str(folder)]
    root = Path(embedded_postgres.__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


@contextlib.asynccontextmanager
async def supervised(server: EmbeddedPostgres) -> AsyncIterator[None]:
    task = asyncio.create_task(server.supervise())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(libpq_url(url), autocommit=True)


def value(address: ServerAddress, query: LiteralString) -> object:
    with connect(address.owner_url()) as connection:
        row = connection.execute(query).fetchone()
    assert row
    return row[0]


def write_note(address: ServerAddress, note: str) -> None:
    with connect(address.owner_url()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (note text)")
        connection.execute("INSERT INTO notes VALUES (%s)", [note])


def postmaster_pid(folder: Path) -> int:
    return int((folder / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def account_of(folder: Path) -> int | None:
    return folder.stat().st_uid if os.geteuid() == 0 else None


def pretend_postmaster(folder: Path, pid: int) -> None:
    lines = [str(pid), str(folder / "cluster"), "1700000000", "5432", str(folder), "", "0 0", "ready"]
    (folder / "cluster" / "postmaster.pid").write_text("\n".join(lines) + "\n")


def is_ready(folder: Path, *, other_than: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        lines = (folder / "cluster" / "postmaster.pid").read_text().splitlines()
        return lines[0] != str(other_than) and lines[-1].strip() == "ready"
    return False


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)


def test_first_start_makes_the_owner_and_its_database(new_folder: Path) -> None:
    with EmbeddedPostgres(new_folder) as address, connect(address.superuser_url()) as connection:
        roles = connection.execute(
            "SELECT rolname, rolsuper, rolcreaterole, rolpassword LIKE 'SCRAM-SHA-256%' FROM pg_authid"
            " WHERE rolcanlogin ORDER BY 1"
        ).fetchall()
        database = connection.execute(
            "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocale FROM pg_database"
            " WHERE datname = 'bivelio'"
        ).fetchone()

    assert roles == [("bivelio_owner", False, True, True), ("postgres", True, True, True)]
    assert database == ("bivelio_owner", "UTF8", "C.UTF-8")
    assert address.owner_url().startswith("postgresql+psycopg://bivelio_owner:")
    assert address.owner_password not in repr(address)
    assert {path.stat().st_mode & 0o777 for path in new_folder.glob("*.password")} == {0o600}


def test_only_the_password_opens_the_door(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as address:
        stranger = ServerAddress(address.socket_folder, superuser_password="guess", owner_password="guess")

        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(stranger.owner_url())

        assert value(address, "SHOW listen_addresses") == ""


def test_spanish_words_are_split_from_their_punctuation(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as address:
        assert value(address, "SELECT to_tsvector('simple', '¿Año?')::text") == "'año':1"


def test_a_second_start_keeps_the_data(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as address:
        write_note(address, "kept")

    with EmbeddedPostgres(folder, fsync=False) as address:
        assert value(address, "SELECT note FROM notes") == "kept"


def test_the_last_of_two_processes_stops_it(folder: Path) -> None:
    mine = EmbeddedPostgres(folder, fsync=False)
    with another_process(folder) as other, mine as address:
        other.communicate()
        assert value(address, "SELECT 1") == 1

        mine.stop()

        assert not mine.is_alive()
        assert not (folder / "cluster" / "postmaster.pid").exists()


@pytest.mark.anyio
async def test_the_first_to_leave_leaves_it_running(folder: Path) -> None:
    mine = EmbeddedPostgres(folder, fsync=False)
    with mine, another_process(folder) as other:
        started_here = postmaster_pid(folder)
        mine.stop()
        assert mine.is_alive()

        other.communicate()

        assert not mine.is_alive()
        await until(lambda: not psutil.pid_exists(started_here))  # nor is it a zombie


@pytest.mark.anyio
async def test_a_killed_postmaster_is_restarted_without_loss(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with server as address:
        write_note(address, "survives")
        killed = postmaster_pid(folder)
        async with supervised(server):
            os.kill(killed, signal.SIGKILL)
            await until(lambda: is_ready(folder, other_than=killed))

            assert value(address, "SELECT note FROM notes") == "survives"
    assert not server.is_alive()


@pytest.mark.anyio
async def test_a_server_stopped_on_purpose_stays_stopped(folder: Path) -> None:
    server = EmbeddedPostgres(folder, fsync=False)
    with server:
        async with supervised(server):
            server.stop()
            await asyncio.sleep(2 * embedded_postgres.CHECK_EVERY)

            assert not server.is_alive()


def test_the_server_of_a_killed_process_is_adopted(folder: Path) -> None:
    with another_process(folder) as other:
        orphan = postmaster_pid(folder)
        other.kill()

    with EmbeddedPostgres(folder, fsync=False) as address:
        assert value(address, "SELECT 1") == 1
        assert postmaster_pid(folder) == orphan
    assert not EmbeddedPostgres(folder).is_alive()


def test_a_half_made_cluster_is_made_again(new_folder: Path) -> None:
    half = new_folder / "cluster.new-0123"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    with EmbeddedPostgres(new_folder, fsync=False) as address:
        assert value(address, "SELECT 1") == 1
    assert not half.exists()


def test_a_folder_with_something_else_is_refused(new_folder: Path) -> None:
    (new_folder / "cluster").mkdir(parents=True)
    (new_folder / "cluster" / "letters.txt").write_text("not yours")

    with pytest.raises(EmbeddedPostgresError, match="holds no PostgreSQL cluster"):
        EmbeddedPostgres(new_folder).start()


def test_a_long_or_odd_path_gets_a_short_socket(template: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("largo, " * 20) / "postgres"
    shutil.copytree(template, folder)

    with EmbeddedPostgres(folder, fsync=False) as address:
        assert value(address, "SELECT 1") == 1
        assert len(str(address.socket_folder)) < 80
        assert address.socket_folder.stat().st_mode & 0o777 == 0o700
    address.socket_folder.rmdir()


@pytest.mark.parametrize("same_account", [True, False])
def test_a_stale_pid_of_somebody_else_is_left_alone(folder: Path, same_account: bool) -> None:
    with subprocess.Popen(["sleep", "60"], user=account_of(folder) if same_account else None) as stranger:
        pretend_postmaster(folder, stranger.pid)

        with EmbeddedPostgres(folder, fsync=False) as address:
            assert value(address, "SELECT 1") == 1

        assert stranger.poll() is None
        stranger.kill()


def test_a_stale_pid_is_not_signalled_by_stop_either(folder: Path) -> None:
    server = EmbeddedPostgres(folder, fsync=False)
    with server, subprocess.Popen(["sleep", "60"], user=account_of(folder)) as stranger:
        os.kill(postmaster_pid(folder), signal.SIGKILL)
        pretend_postmaster(folder, stranger.pid)

        server.stop()

        assert stranger.poll() is None
        stranger.kill()


def test_a_server_that_cannot_start_shows_its_log(folder: Path) -> None:
    (folder / "cluster" / "PG_VERSION").write_text("9.6\n")

    with pytest.raises(EmbeddedPostgresError, match=r"did not start\n(.|\n)*not compatible with this version"):
        EmbeddedPostgres(folder).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another account")
def test_root_starts_it_below_a_folder_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    shutil.copytree(_package_of("embedded_postgres"), tmp_path / "embedded_postgres")
    shutil.copytree(_package_of("embedded_postgres.libs"), tmp_path / "embedded_postgres.libs")
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "postgres"

    with EmbeddedPostgres(folder, fsync=False) as address:
        assert value(address, "SELECT 1") == 1
        assert str(tmp_path) in (folder / "cluster" / "postmaster.opts").read_text()
        assert (folder / "cluster").stat().st_uid != 0


def _package_of(name: str) -> Path:
    return Path(postgres_process.binary("postgres")).parents[3] / name
