"""A fresh installation to measure: its server process, its database, what they cost."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

COMMAND = Path(sys.executable).parent / "bivelio-server"


@dataclass
class Place:
    data_dir: Path
    port: int
    provisioned: dict[str, Any] = field(default_factory=dict)
    server: subprocess.Popen[bytes] | None = None
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)
    #: Settings of its processes besides those that all have.
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return str(self.provisioned["keys"]["live_secret"])

    def start(self) -> float:
        """Start the server; seconds until it is ready."""
        began = time.perf_counter()
        self.server = subprocess.Popen(self._command("serve"), env=self._environment(), stderr=subprocess.DEVNULL)
        while not _is_ready(self.port):
            if self.server.poll() is not None:
                raise SystemExit("the server ended while starting")
            time.sleep(0.02)
        return time.perf_counter() - began

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.wait(30)

    @contextmanager
    def second(self) -> Iterator["Place"]:
        """Another server of the same installation, at a port of its own."""
        other = replace(self, port=_free_port(), server=None, others=[])
        other.start()
        try:
            yield other
        finally:
            other.stop()

    @contextmanager
    def workers(self, processes: int) -> Iterator[None]:
        """So many worker processes, ready."""
        ports = [_free_port() for _ in range(processes)]
        for port in ports:
            environment = self._environment() | {"BIVELIO_WORKER_PORT": str(port)}
            self.others.append(subprocess.Popen(self._command("worker"), env=environment, stderr=subprocess.DEVNULL))
        while not all(map(_is_ready, ports)):
            time.sleep(0.05)
        try:
            yield
        finally:
            for process in self.others:
                process.terminate()
            for process in self.others:
                process.wait(30)
            self.others.clear()

    def of_another_organization(self, name: str) -> "Place":
        """The same server, called by a new organisation."""
        made = subprocess.run(
            [*self._command("provision"), "--organization", name, "--plan", "enterprise", "--email",
             f"{name.lower()}@example.com", "--password", "benchmark-password"],
            check=True, capture_output=True,
        )  # fmt: skip
        return replace(self, provisioned=json.loads(made.stdout))

    def call(self, path: str, data: dict[str, Any]) -> Any:
        """The `data` of a successful reply."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            json.dumps({"data": data}).encode(),
            {"X-API-Key": self.key, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=70) as reply:
            return json.load(reply)["data"]

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU so far: the server's, the workers' and the database's, ended backends included."""
        server = [self.server] if self.server is not None and self.server.poll() is None else []
        return {
            "server": sum(_cpu([psutil.Process(process.pid)]) for process in server),
            "workers": sum(_cpu([psutil.Process(process.pid)]) for process in self.others),
            "postgres": self.postgres_cpu(),
        }

    def postgres_cpu(self) -> float:
        return _cpu(self._postgres())

    def memory(self) -> dict[str, float]:
        """Proportional set size in MB."""
        assert self.server is not None
        return {"server": _pss([psutil.Process(self.server.pid)]), "postgres": _pss(self._postgres())}

    def _postgres(self) -> list[psutil.Process]:
        first = int((self.data_dir / "postgres/cluster/postmaster.pid").read_text().splitlines()[0])
        postmaster = psutil.Process(first)
        return [postmaster, *postmaster.children(recursive=True)]

    def _command(self, name: str) -> list[str]:
        return [str(COMMAND), name, "--data-dir", str(self.data_dir)]

    def _environment(self) -> dict[str, str]:
        settings = {"PORT": str(self.port), "PRIVATE_NETWORKS": "127.0.0.0/8", **self.settings}
        return {**os.environ, **{f"BIVELIO_{name}": value for name, value in settings.items()}}


@contextmanager
def place() -> Iterator[Place]:
    """A provisioned installation with its server running, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bivelio-bench-") as folder:
        Path(folder).chmod(0o755)
        here = Place(Path(folder) / "data", _free_port())
        made = subprocess.run(
            [*here._command("provision"), "--organization", "Bench", "--plan", "enterprise", "--email", "b@example.com",
             "--password", "benchmark-password"],
            check=True, capture_output=True,
        )  # fmt: skip
        here.provisioned = json.loads(made.stdout)
        here.start()
        try:
            yield here
        finally:
            here.stop()


@contextmanager
def spent(here: Place) -> Iterator[dict[str, float]]:
    """CPU seconds of server and database within the block, and their sum under `all`."""
    before, result = here.cpu(), {}
    yield result
    after = here.cpu()
    result.update({name: after[name] - before[name] for name in before})
    result["all"] = sum(result.values())


def _cpu(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes if process.is_running()]
    return sum(t.user + t.system for t in times) + sum(t.children_user + t.children_system for t in times[:1])


def _pss(processes: list[psutil.Process]) -> float:
    return float(sum(process.memory_full_info().pss for process in processes if process.is_running())) / 1e6


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
