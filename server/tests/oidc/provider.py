"""A provider that knows nothing of us, in a process of its own, and the browser that people reach it with."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True)
class RealProvider:
    issuer: str

    def know(self, subject: str, **claims: Any) -> None:
        """Let somebody have an account there."""
        assert httpx2.put(f"{self.issuer}/users/{subject}", json=claims).status_code == 204

    def sign_in(self, authorization_url: str, subject: str) -> str:
        """What somebody does there; the address that their browser is sent back to."""
        reply = httpx2.post(authorization_url, data={"sub": subject})
        assert reply.status_code == 302, reply.text
        return reply.headers["location"]


@contextmanager
def real_provider(*options: str) -> Iterator[RealProvider]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        provider = RealProvider(f"http://127.0.0.1:{port}")
        _wait_until_ready(provider, process)
        yield provider
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_ready(provider: RealProvider, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx2.get(f"{provider.issuer}/.well-known/openid-configuration")
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the provider did not start")
