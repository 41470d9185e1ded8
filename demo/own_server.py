"""A BiVelio server of the demo's own: on a free port, in a folder that is thrown away. Only it is ever killed."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2

COMMAND = Path(sys.executable).with_name("bivelio-server")
COMMAND_SECONDS = 60.0
START_SECONDS = 30.0
STOP_SECONDS = 20.0


class OwnServer:
    """`lease_seconds` is how long the work of a killed server rests before it is taken up again; its default is 30."""

    def __init__(self, *, lease_seconds: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bivelio-demo-"))
        self._folder.chmod(0o711)  # as root, the database runs as another user, who must pass through
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("BIVELIO_")} | {
            "BIVELIO_DATA_DIR": str(self._folder / "data"),
            "BIVELIO_PORT": str(self._port),
            "BIVELIO_PRIVATE_NETWORKS": "127.0.0.0/8",
            "BIVELIO_LEASE_SECONDS": str(lease_seconds),
            "BIVELIO_LOG_LEVEL": "error",
        }

    def __enter__(self) -> "OwnServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        path = self._folder / "server.log"
        return path.read_text() if path.exists() else ""

    def provision(self, organization: str) -> dict[str, Any]:
        """Make an organisation; its ids and keys."""
        printed = self._run(
            "provision", "--organization", organization, "--plan", "enterprise",
            "--email", "ana@gestoria-pena.example", "--password", secrets.token_urlsafe(12),
        )  # fmt: skip
        made: dict[str, Any] = json.loads(printed)
        return made

    def start(self) -> None:
        """Returns when the server is ready."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([COMMAND, "serve"], env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{self.log}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: no farewell, nothing is finished or saved."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=1).status_code == 200
        except httpx2.TransportError:
            return False

    def _stop(self) -> None:
        """In good order the server stops its database; after a kill that goes on, until its last user leaves it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._process is None or self._process.returncode != 0:
            self._run("migrate")

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([COMMAND, *arguments], env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"bivelio-server {arguments[0]} failed:\n{done.stderr}")
        return done.stdout


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
