"""A real installation: a data folder, and processes of the `bivelio-server` command that tests start, kill and stop.

Whatever a test does to them, leaving `Installation` ends the processes that it started and its own database.
"""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import httpx2

from bivelio_server.kit.embedded_postgres import DATABASE, ServerAddress, libpq_url
from bivelio_server.kit.postgres_process import Postmaster
from tests.world import Client

COMMAND: Final = str(Path(sys.executable).parent / "bivelio-server")
EMAIL: Final = "owner@example.com"
PASSWORD: Final = "correct horse battery staple"
LEASE_SECONDS: Final = 3

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 0.02
#: Servers are spoken to in plain: to load all authorities takes a client 50 ms.
NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_ENVIRONMENT: Final = {
    "BIVELIO_PRIVATE_NETWORKS": "127.0.0.0/8",
    "BIVELIO_ANONYMOUS_PER_MINUTE": "1000000",
    "BIVELIO_ANONYMOUS_PER_SECOND": "1000000",
}


class Reachable(Protocol):
    """A server, or whatever stands before several."""

    address: str


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something that another process does."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - no event of ours tells of another process
            await anyio.sleep(_LOOK_AGAIN_SECONDS)


@dataclass
class Process:
    """A running command; `address` is where a server listens."""

    popen: subprocess.Popen[bytes]
    log: Path
    address: str

    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def pause(self) -> None:
        """SIGSTOP; returns once it stands still."""
        self.popen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED)

    def go_on(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        self.popen.terminate()

    async def ended(self, seconds: float = STOP_SECONDS) -> int:
        """Its exit status."""
        await until(lambda: not self.is_alive(), seconds)
        return self.popen.returncode

    async def ready(self) -> None:
        """Returns once it serves. Fails when it ends instead."""
        async with httpx2.AsyncClient(base_url=self.address, verify=NO_AUTHORITIES) as http:
            with anyio.fail_after(START_SECONDS):
                while not await _answers(http):
                    assert self.is_alive(), self.output()
                    await anyio.sleep(_LOOK_AGAIN_SECONDS)

    def output(self) -> str:
        return self.log.read_text()


async def _answers(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz", timeout=15)).status_code == 200
    except httpx2.TransportError:
        return False


@dataclass
class Installation:
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def cluster(self) -> Path:
        return (self.data / "postgres" / "cluster").resolve()

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return subprocess.run(
            [COMMAND, command, "--data-dir", str(self.data), *arguments],
            capture_output=True, text=True, check=False, env=self._environment(), cwd=self.folder,
            timeout=START_SECONDS,
        )  # fmt: skip

    def provision(
        self, organization: str = "Acme", email: str = EMAIL, password: str = PASSWORD, *, reset_password: bool = False
    ) -> dict[str, Any]:
        """What the command prints."""
        done = self.run(
            "provision",
            "--organization",
            organization,
            "--plan",
            "enterprise",
            "--email",
            email,
            "--password",
            password,
            *(["--reset-password"] if reset_password else []),
        )
        assert done.returncode == 0, done.stderr
        made: dict[str, Any] = json.loads(done.stdout)
        return made

    def start(self, command: str, *arguments: str, address: str = "", **environment: str) -> Process:
        """A command that goes on; it may not be ready yet."""
        log = self.folder / f"{len(self.processes)}-{command}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [COMMAND, command, "--data-dir", str(self.data), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder,
                env=self._environment() | environment,
            )  # fmt: skip
        process = Process(popen, log, address)
        self.processes.append(process)
        return process

    def start_server(self, port: int | None = None, *arguments: str, **environment: str) -> Process:
        port = port or free_port()
        address = f"http://127.0.0.1:{port}"
        return self.start("serve", "--port", str(port), *arguments, address=address, **environment)

    async def serve(self, port: int | None = None, *arguments: str, **environment: str) -> Process:
        """A server that answers."""
        server = self.start_server(port, *arguments, **environment)
        await server.ready()
        return server

    def postmaster(self) -> Postmaster | None:
        """Our embedded database's process, if it runs."""
        found = Postmaster.read(self.cluster)
        return found if found is not None and found.serves(self.cluster) else None

    def database(self, *, superuser: bool = False) -> str:
        """The URL of the running database, past every wall."""
        found, folder = self.postmaster(), self.cluster.parent
        assert found is not None
        assert found.socket_folder is not None
        passwords = [(folder / f"{name}.password").read_text().strip() for name in ("superuser", "owner")]
        address = ServerAddress(found.socket_folder, *passwords)
        return libpq_url(address.superuser_url(DATABASE) if superuser else address.owner_url())

    def kill_database(self) -> None:
        found = self.postmaster()
        if found is not None:
            os.kill(found.pid, signal.SIGKILL)

    def output(self) -> str:
        """All that all processes have written."""
        return "".join(process.output() for process in self.processes)

    def close(self) -> None:
        alive = [process for process in self.processes if process.is_alive()]
        for process in alive:
            process.go_on()
            process.terminate()
        for process in alive:
            try:
                process.popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._stop_database()

    def _stop_database(self) -> None:
        """Of a test that has killed all who used it."""
        found = self.postmaster()
        if found is None:
            return
        os.kill(found.pid, signal.SIGQUIT)
        deadline = time.monotonic() + STOP_SECONDS
        while found.serves(self.cluster) and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BIVELIO_")}
        return inherited | _ENVIRONMENT | self.environment


@contextmanager
def fresh_installation(template: Path | None = None, **environment: str) -> Iterator[Installation]:
    """An empty installation, or a copy of one that stands still."""
    folder = Path(tempfile.mkdtemp(prefix="bivelio-acceptance-"))
    folder.chmod(0o755)  # the account that runs the database passes through
    place = Installation(folder, environment)
    try:
        if template is not None:
            _copy(template, place.data)
        yield place
    finally:
        place.close()
        shutil.rmtree(folder, ignore_errors=True)


def _copy(template: Path, target: Path) -> None:
    """Without sockets and locks, which belong to processes."""

    def is_no_file(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if not ((path := Path(folder) / name).is_file() or path.is_dir())]

    shutil.copytree(template, target, ignore=is_no_file)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def client_of(server: Reachable, key: str) -> AsyncIterator[Client]:
    """Each request goes over a connection of its own: a kept one may be closed at any time."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(
        base_url=server.address, timeout=30, limits=limits, trust_env=False, verify=NO_AUTHORITIES
    ) as http:
        yield Client(http, {"X-API-Key": key})


async def all_of(client: Client, path: str, name: str, **filters: Any) -> list[dict[str, Any]]:
    """Every page of a list."""
    found: list[dict[str, Any]] = []
    while True:
        page = await client.call(path, {"page": len(found) // 100 + 1, "per_page": 100, **filters})
        found += page[name]
        if len(page[name]) < 100:
            return found
